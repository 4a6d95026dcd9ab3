package identity

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	domain   = "drawbridge"
	clockKey = "clock"
)

// MaxSkew is how far the clocks of agent and coordinator may differ: certificates begin that much before they are made.
const MaxSkew = 5 * time.Minute

// A Reason is why a coordinator refuses a certificate or a stream.
type Reason string

// The reasons. A receiver takes one that it does not know as final.
const (
	TokenUnknown Reason = "TOKEN_UNKNOWN" // never made here, or removed, or the secret differs
	TokenUsed    Reason = "TOKEN_USED"    // an agent has joined with it
	TokenExpired Reason = "TOKEN_EXPIRED" // not used in time
	ClockOff     Reason = "CLOCK_OFF"     // the clocks differ by more than MaxSkew; the token stays unused
	BadRequest   Reason = "BAD_REQUEST"   // the signing request cannot be read
	Revoked      Reason = "REVOKED"       // an admin has shut the agent out
	Expired      Reason = "EXPIRED"       // the certificate's time is over: renew it first
	Doubted      Reason = "DOUBTED"       // it is a copy, or was one: ask to be attested anew
	Waiting      Reason = "WAITING"       // an admin has not approved the request yet: ask again
	Declined     Reason = "DECLINED"      // an admin has declined the request
)

// A Refusal is what a coordinator answers instead of a certificate or to Hello.
type Refusal struct {
	Reason  Reason
	Message string    // for people: what happened and what to do
	Clock   time.Time // the coordinator's, when it answered
}

func (r *Refusal) Error() string { return fmt.Sprintf("coordinator refused: %s", r.Message) }

// GRPCStatus is how a Refusal returned by a handler goes over the wire.
func (r *Refusal) GRPCStatus() *status.Status {
	code := codes.PermissionDenied
	switch r.Reason {
	case ClockOff, Waiting:
		code = codes.FailedPrecondition
	case BadRequest:
		code = codes.InvalidArgument
	}
	s := status.New(code, r.Message)
	with, err := s.WithDetails(&errdetails.ErrorInfo{
		Reason: string(r.Reason), Domain: domain,
		Metadata: map[string]string{clockKey: r.Clock.UTC().Format(time.RFC3339Nano)},
	})
	if err != nil {
		return s // the message still says it
	}
	return with
}

// RefusalOf returns the refusal that a call's error carries, or nil.
func RefusalOf(err error) *Refusal {
	s, ok := status.FromError(err)
	if !ok {
		return nil
	}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == domain {
			clock, _ := time.Parse(time.RFC3339Nano, info.GetMetadata()[clockKey]) // zero if the peer sent none
			return &Refusal{Reason: Reason(info.GetReason()), Message: s.Message(), Clock: clock}
		}
	}
	return nil
}

// CheckClock refuses an agent whose clock, sent with the request, differs from
// now, the coordinator's, by more than [MaxSkew]: then the error is a *[Refusal].
func CheckClock(agent, now time.Time) error {
	off := agent.Sub(now)
	word := "fast"
	if off < 0 {
		off, word = -off, "slow"
	}
	if off <= MaxSkew {
		return nil
	}
	return &Refusal{Reason: ClockOff, Clock: now, Message: fmt.Sprintf(
		"the clock of the agent's host is %s %s (it says %s, the coordinator's %s): set it, best by time service, and enrol again with the same token",
		off.Round(time.Second), word, stamp(agent), stamp(now))}
}
