package connkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// A kit is one run.
type kit struct {
	Config
	marks *strings.Replacer
	watch *watch
	began int64
	made  atomic.Int64 // numbers given out for {n}

	p           *process // the one that most rules use; nil when it was lost
	description *connectorv1.DescribeResponse
	class       *connectorv1.Class // of the schema
	notes       []string           // of the rule that is tried
}

// Run tries every rule on c.Executable. Its error means that the kit itself
// could not begin; what is wrong with the connector is in the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "connkit")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		c.Dir = dir
	}
	k := &kit{Config: c, began: time.Now().UnixMilli() / 100,
		marks: strings.NewReplacer("{dir}", c.Dir, "{test}", c.Test),
		watch: &watch{secrets: map[string]string{}, faults: map[string]bool{}, leaks: map[string]bool{}}}
	for name, value := range c.Secrets {
		k.watch.secrets[value] = name
	}
	if err := k.run(ctx, c.Prepare); err != nil {
		return nil, fmt.Errorf("prepare the system: %w", err)
	}
	defer func() {
		if k.p != nil {
			k.p.kill()
		}
	}()
	report := &Report{Connector: c.Connector, Passes: true}
	for _, r := range rules() {
		if len(c.Rules) > 0 && !slices.Contains(append(c.Rules, "describe", "schema"), r.name) {
			continue
		}
		result := k.try(ctx, r)
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		report.Results = append(report.Results, result)
		report.Passes = report.Passes && result.Verdict != Failed
		if k.description == nil && result.Verdict == Failed {
			return report, nil // it does not start, or says nothing of itself: nothing else can be tried
		}
	}
	report.Version, report.Protocol = k.description.GetVersion(), k.description.GetProtocol()
	return report, nil
}

// Describe asks an executable what its connector of this name is.
func Describe(ctx context.Context, executable, name string) (*connectorv1.DescribeResponse, error) {
	k := &kit{Config: Config{Executable: executable, Connector: name}, watch: &watch{}}
	p, err := k.start()
	if err != nil {
		return nil, err
	}
	defer p.kill()
	ctx, cancel := k.limit(ctx)
	defer cancel()
	return p.Describe(ctx, &connectorv1.DescribeRequest{Protocol: sdk.Protocol})
}

// try tries one rule, and looks whether the process outlived it.
func (k *kit) try(ctx context.Context, r rule) Result {
	result := Result{Rule: r.name, What: r.what, Why: r.why, Cure: r.cure, Verdict: Passed}
	if r.needs != nil {
		if reason := r.needs(k); reason != "" {
			result.Verdict, result.Reason = NotApplicable, reason
			return result
		}
	}
	k.notes = nil
	began := time.Now()
	err := k.ready(ctx)
	if err == nil {
		err = r.try(ctx, k)
	}
	if died := k.alive(ctx); died != nil {
		err = errors.Join(err, died)
	}
	result.Took, result.Notes = time.Since(began), k.notes
	if err != nil {
		result.Verdict, result.Found = Failed, texts(err)
	}
	return result
}

// ready sees to it that there is a process with the system open. Before the
// connector has described itself there is nothing to open.
func (k *kit) ready(ctx context.Context) (err error) {
	if k.p == nil && k.description != nil {
		k.p, err = k.open(ctx, nil)
	}
	return err
}

// alive lets go of a process that does not answer any more.
func (k *kit) alive(ctx context.Context) error {
	if k.p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := grpc_health_v1.NewHealthClient(k.p.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
	if err == nil {
		return nil
	}
	k.p.kill()
	k.p = nil
	return fmt.Errorf("after it the process does not answer to grpc.health.v1 for \"plugin\" any more (%w); its last words: %s", err, k.watch.said.tail())
}

func (k *kit) can(c sdk.Capability) bool { return slices.Contains(k.description.GetCapabilities(), c) }

func (k *kit) notef(format string, args ...any) {
	k.notes = append(k.notes, fmt.Sprintf(format, args...))
}

func (k *kit) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, k.wait(), fmt.Errorf("no answer within %s", k.wait()))
}

// number returns what stands for {n}: it differs in each run, too, for the
// system may hold what an earlier one left.
func (k *kit) number() string {
	return strconv.FormatInt(k.began, 36) + strconv.FormatInt(36*36+k.made.Add(1), 36)
}

// run carries out a hook.
func (k *kit) run(ctx context.Context, h Hook) error {
	if h.Func != nil {
		return h.Func(ctx)
	}
	if len(h.Command) == 0 {
		return nil
	}
	marks, n := k.marks, k.number()
	words := make([]string, len(h.Command))
	for i, word := range h.Command {
		words[i] = strings.ReplaceAll(marks.Replace(word), "{n}", n)
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = k.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", words, err, out)
	}
	return nil
}

// texts takes a joined error apart.
func texts(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, texts(e)...)
		}
		return all
	}
	return []string{err.Error()}
}
