package runner

import (
	"time"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// A task is a job that the lane has begun or put off.
type task struct {
	job     *linkv1.Job
	kind    kind
	running bool
	holds   bool               // its object: no other job of that is begun
	again   time.Time          // not to be begun sooner
	tries   int                // that ended UNAVAILABLE
	strikes int                // that ended in a lost process or UNKNOWN
	own     bool               // a read that nobody asked for: it stands in no spool
	shares  bool               // begun as one of the lane's company
	passed  bool               // the guardrail has let it pass, and counted it
	ahead   []*linkv1.Job      // what was ready when it was begun
	suspect bool               // was under way when a process was lost
	fault   *connectorv1.Fault // of the last attempt
}

type kind int

const (
	write kind = iota // apply and find: under the limiter
	read
	aside // probe and schema
)

// other is 1 for what is not under the limiter.
func (t *task) other() int {
	if t.kind == write {
		return 0
	}
	return 1
}

func kindOf(job *linkv1.Job) kind {
	switch job.GetWork().(type) {
	case *linkv1.Job_Read:
		return read
	case *linkv1.Job_Probe, *linkv1.Job_Schema:
		return aside
	}
	return write
}

// An event is what a worker tells its lane.
type event struct {
	task *task
	did  did
	conn *connection // of connected
	err  error       // of connected, of settled: the spool's
	put  *putOff     // of settled: the job is to be run again
	ok   bool        // of settled: the system has answered
}

type did int

const (
	answered  did = iota // the system has answered: its slot is free
	settled              // the result is on disk, or the job is put off
	connected            // a process is open, or could not be
)
