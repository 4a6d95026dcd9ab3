package sdk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// A Redactor takes secrets out of text: out of what a connector logs and out of
// the words of its faults. [sealed.Secret] cannot be printed, but a revealed one
// can, above all by a library that puts a connection string into its error. The
// zero value knows no secret. It is safe for concurrent use.
type Redactor struct {
	replacer atomic.Pointer[strings.Replacer]
}

// shortestSecret is the length from which a secret is looked for: replacing a
// shorter one would make words unreadable, and it protects nothing.
const shortestSecret = 4

// Hide has the values replaced from now on, in place of those of an earlier
// call, also as they are written in URLs, in JSON and in base64.
func (r *Redactor) Hide(secrets map[string]string) {
	var forms []string
	for _, value := range secrets {
		if len(value) < shortestSecret {
			continue
		}
		quoted, _ := json.Marshal(value) // text always can be
		for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value), url.UserPassword("", value).String()[1:],
			strings.Trim(string(quoted), `"`), base64.StdEncoding.EncodeToString([]byte(value))} {
			if !slices.Contains(forms, form) {
				forms = append(forms, form)
			}
		}
	}
	// The longest first: one secret may be the beginning of another.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, sealed.Secret{}.String())
	}
	if len(pairs) == 0 {
		r.replacer.Store(nil)
		return
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// Text returns s without the secrets.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	if replacer := r.replacer.Load(); replacer != nil {
		return replacer.Replace(s)
	}
	return s
}

// fault takes the secrets out of the words of err; what it wraps can still be
// told by errors.Is.
func (r *Redactor) fault(err error) error {
	if err == nil || r == nil || r.replacer.Load() == nil {
		return err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		clean := *e
		for _, s := range []*string{&clean.Cause, &clean.NextStep, &clean.Object, &clean.Raw} {
			*s = r.Text(*s)
		}
		if errors.Is(err, ErrResync) && !errors.Is(&clean, ErrResync) {
			clean.Err = errors.Join(clean.Err, ErrResync)
		}
		return &clean
	}
	return &redactedError{text: r.Text(err.Error()), err: err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// Handler returns a handler that logs to next what is left without the secrets.
func (r *Redactor) Handler(next slog.Handler) slog.Handler { return &redactingHandler{next, r} }

type redactingHandler struct {
	next     slog.Handler
	redactor *Redactor
}

func (h *redactingHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.next.Enabled(ctx, l)
}

func (h *redactingHandler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.Text(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h *redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return &redactingHandler{h.next.WithAttrs(clean), h.redactor}
}

func (h *redactingHandler) WithGroup(name string) slog.Handler {
	return &redactingHandler{h.next.WithGroup(name), h.redactor}
}

func (h *redactingHandler) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(h.redactor.Text(v.String()))
	case slog.KindGroup:
		clean := make([]slog.Attr, len(v.Group()))
		for i, member := range v.Group() {
			clean[i] = h.attr(member)
		}
		v = slog.GroupValue(clean...)
	case slog.KindAny:
		v = slog.StringValue(h.redactor.Text(h.words(v.Any())))
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// words is what a value would be written as.
func (h *redactingHandler) words(v any) string {
	if err, ok := v.(error); ok {
		return err.Error()
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	if b, err := json.Marshal(v); err == nil {
		return string(b)
	}
	return fmt.Sprint(v)
}
