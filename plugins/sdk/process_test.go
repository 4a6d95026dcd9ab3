package sdk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/drawbridge-id/drawbridge/plugins/fake"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// The test binary is the connector's executable, and an agent too, whose death
// the connector must notice.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("TEST_AS_AGENT") != "":
		agent()
	case os.Getenv(sdk.Handshake().MagicCookieKey) != "":
		sdk.Serve(fake.New())
	default:
		os.Exit(m.Run())
	}
}

// start starts a process of the fake connector as an agent would.
func start(logs io.Writer) (*plugin.Client, connectorv1.ConnectorServiceClient, error) {
	cmd := exec.Command(os.Args[0], "fake")
	cmd.Env = append(os.Environ(), "TEST_AS_AGENT=")
	process := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.Plugins(), Cmd: cmd, AutoMTLS: true, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, GRPCDialOptions: sdk.DialOptions(),
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: logs, JSONFormat: true}),
	})
	conn, err := process.Client()
	if err != nil {
		process.Kill()
		return nil, nil, err
	}
	client, err := conn.Dispense(sdk.PluginName)
	if err != nil {
		process.Kill()
		return nil, nil, err
	}
	return process, client.(connectorv1.ConnectorServiceClient), nil
}

func startProcess(t *testing.T, settings string) (*plugin.Client, connectorv1.ConnectorServiceClient) {
	t.Helper()
	process, client, err := start(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	response, err := client.Open(t.Context(), &connectorv1.OpenRequest{Settings: settings})
	if err != nil || response.GetFault() != nil {
		t.Fatalf("Open(%s) = %v, %v; want no fault", settings, response, err)
	}
	return process, client
}

// agent starts a connector, prints its process id and waits to be killed.
func agent() {
	_, client, err := start(io.Discard)
	if err == nil {
		var probe *connectorv1.ProbeResponse
		if _, err = client.Open(context.Background(), &connectorv1.OpenRequest{}); err == nil {
			probe, err = client.Probe(context.Background(), &connectorv1.ProbeRequest{})
		}
		os.Stdout.WriteString(probe.GetSteps()[0].GetDetail() + "\n")
	}
	if err != nil {
		os.Exit(1)
	}
	select {}
}

func TestServe_speaksTheContractFromAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	process, client := startProcess(t, `{"users": 3}`)
	d, err := client.Describe(t.Context(), &connectorv1.DescribeRequest{Protocol: 7})
	if err != nil || d.GetName() != "fake" || d.GetProtocol() != sdk.Protocol || !json.Valid([]byte(d.GetSettingsSchema())) {
		t.Errorf("Describe() = %v, %v; want fake, protocol %d and a schema", d, err, sdk.Protocol)
	}
	f, err := client.Find(t.Context(), &connectorv1.FindRequest{Class: "user", Attribute: "login", Values: []string{"U2"}})
	if err != nil || len(f.GetRecords()) != 1 || f.GetRecords()[0].GetId() != "user-2" {
		t.Errorf("Find(login, U2) = %v, %v; want user-2", f, err)
	}
	process.Kill()
	if !process.Exited() {
		t.Error("after Kill the connector still runs")
	}
}

// An agent that is killed cannot end its connectors, and on Windows no parent
// can: each must notice by itself, or they pile up.
func TestServe_endsWhenTheAgentIsGone(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "TEST_AS_AGENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if killErr := parent.Process.Kill(); err != nil || killErr != nil {
		t.Fatalf("the agent printed %q, %v; kill: %v", line, err, killErr)
	}
	_ = parent.Wait() // it was killed
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "process "))
	if err != nil {
		t.Fatalf("the agent printed %q; want the connector's process id", line)
	}
	for deadline := time.Now().Add(20 * time.Second); running(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("connector %d still runs 20 s after its agent was killed", pid)
		}
	}
}

// running asks the system without waiting for a process that is not our child.
func running(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// What was written before a crash must be seen after it: that is what an agent
// looks at when an answer did not come.
func TestServe_aCrashedConnectorsWorkIsFoundByTheNext(t *testing.T) {
	t.Parallel()
	settings, err := json.Marshal(map[string]any{
		"state":  filepath.Join(t.TempDir(), "state.jsonl"),
		"script": []map[string]any{{"on": "create", "call": 1, "do": "crash_after"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	create := func(client connectorv1.ConnectorServiceClient) (*connectorv1.ApplyResponse, error) {
		stream, err := client.Apply(t.Context())
		if err != nil {
			return nil, err
		}
		login := &connectorv1.Attribute{Name: "login", Values: []string{"ann"}}
		err = stream.Send(&connectorv1.ApplyRequest{Tag: 5, Operation: &connectorv1.Operation{Class: "user",
			Verb: &connectorv1.Operation_Create{Create: &connectorv1.Create{Container: "staff", Name: "Ann",
				Attributes: []*connectorv1.Attribute{login}, Anchor: login}}}})
		if err != nil {
			return nil, err
		}
		return stream.Recv()
	}
	_, client := startProcess(t, string(settings))
	if r, err := create(client); err == nil {
		t.Fatalf("Apply(create) at a crash = %v; want an error", r)
	}
	_, client = startProcess(t, string(settings))
	r, err := create(client)
	if err != nil || r.GetTag() != 5 || !r.GetUnchanged() || r.GetObject().GetId() != "user-1" {
		t.Errorf("Apply(create) after a crash = %v, %v; want tag 5, unchanged, user-1", r, err)
	}
}
