package csv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/connkit"
)

// It keeps what every connector must, with a million rows, too.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, large := filepath.Join(dir, "workers.csv"), filepath.Join(dir, "large.csv")
	rows := 3000
	connkit.Test(t, connkit.Config{
		Connector: "csv", Dir: dir,
		Settings: map[string]any{"path": file, "key": "id", "settle": "0s", "poll": "1s"},
		Class:    "row", Attributes: []string{"mail", "name"},
		Prepare: connkit.Hook{Func: func(context.Context) error { return workers(file, rows) }},
		Edit:    connkit.Hook{Func: func(context.Context) error { rows++; return workers(file, rows) }},
		Large: &connkit.Large{Settings: map[string]any{"path": large},
			Prepare: connkit.Hook{Func: func(context.Context) error { return workers(large, 1_000_000) }}},
	})
}

// workers writes a file as an HR system should: beside it, then renamed.
func workers(path string, rows int) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprint(w, "id,mail,name\n")
	for i := range rows {
		fmt.Fprintf(w, "%d,w%d@example.com,\"O'Brien, Zoë \"\"%d\"\" *\"\n", i, i, i)
	}
	past := time.Now().Add(-time.Minute)
	return errors.Join(w.Flush(), f.Close(), os.Chtimes(path+".new", past, past), os.Rename(path+".new", path))
}
