package csv_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
	"github.com/drawbridge-id/drawbridge/plugins/csv"
	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
)

// The test binary is also the connector's executable.
func TestMain(m *testing.M) { connkit.Main(m, csv.New()) }

// go test -run - -bench Read ./plugins/csv: a million rows of 10 columns,
// 113 bytes each, from a process of its own over mutual TLS. See the README for
// the figures.
func BenchmarkRead(b *testing.B) {
	const rows = 1_000_000
	path := filepath.Join(b.TempDir(), "workers.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,given,surname,mail,department,title,manager,city,hired,status")
	for i := range rows {
		fmt.Fprintf(w, "%08d,Zoë,O'Brien,zoe.obrien%d@example.com,Research and Development,Senior Engineer,10000042,Berlin,2019-04-01,active\n", i, i)
	}
	if err := errors.Join(w.Flush(), f.Close(), os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour))); err != nil {
		b.Fatal(err)
	}
	process := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.Plugins(), Cmd: exec.Command(os.Args[0], "csv"), AutoMTLS: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, GRPCDialOptions: sdk.DialOptions(), Logger: hclog.NewNullLogger(),
	})
	b.Cleanup(process.Kill)
	conn, err := process.Client()
	if err != nil {
		b.Fatal(err)
	}
	dispensed, err := conn.Dispense(sdk.PluginName)
	if err != nil {
		b.Fatal(err)
	}
	client := dispensed.(connectorv1.ConnectorServiceClient)
	if r, err := client.Open(b.Context(), &connectorv1.OpenRequest{Settings: fmt.Sprintf(`{"path": %q, "key": "id"}`, path)}); err != nil || r.GetFault() != nil {
		b.Fatal(r, err)
	}
	idle, err := peakMemory(process.ID())
	if err != nil {
		b.Log(err)
	}
	for b.Loop() {
		stream, err := client.Read(b.Context(), &connectorv1.ReadRequest{Classes: []string{"row"},
			Attributes: []string{"given", "surname", "mail", "department", "title", "manager", "city", "hired", "status"}})
		if err != nil {
			b.Fatal(err)
		}
		var n int
		var end *connectorv1.ReadEnd
		for {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			n += len(response.GetRecords())
			end = response.GetEnd()
		}
		if n != rows || end.GetOutcome() != connectorv1.Outcome_OUTCOME_DONE {
			b.Fatalf("read %d rows, end %v", n, end)
		}
	}
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
	if peak, err := peakMemory(process.ID()); err == nil {
		b.ReportMetric(peak, "MiB-peak")
		b.ReportMetric(idle, "MiB-idle")
	}
}

// peakMemory returns the greatest resident memory of a process in MiB, where
// the system tells.
func peakMemory(pid string) (float64, error) {
	status, err := os.Open(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0, err
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		var kib float64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}
