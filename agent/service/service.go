// Package service makes the agent a service of the operating system: installs
// and removes it, starts and stops it, and runs it under Windows' service
// manager, systemd or a terminal alike. What it runs is the caller's.
//
// On Linux it installs a unit that may do little: see unit.go. On Windows the
// service is started automatically, and again 5 s after it fails.
package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/kardianos/service"

	"github.com/drawbridge-id/drawbridge/agent/custody"
)

// Name is what the operating system knows the agent by.
const Name = "drawbridge-agent"

// An Installation says how the service is to run.
type Installation struct {
	Config string // Required. Path of agent.yaml, absolute
	Data   string // Required. Folder the service may write to
	User   string // Optional. Account it runs as; none means root or LocalSystem
	TPM    string // Optional. Device of the TPM that holds its key
}

// Install makes the service known to the operating system. It does not start it.
func Install(in Installation) error {
	s, err := open(in, nil)
	if err != nil {
		return err
	}
	if err := custody.Private(in.Data, in.User); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := s.Install(); err != nil {
		return fmt.Errorf("install service %s: %w", Name, err)
	}
	return nil
}

// Uninstall stops the service and removes it. Configuration and data stay.
func Uninstall() error {
	s, err := open(Installation{}, nil)
	if err != nil {
		return err
	}
	_ = s.Stop() // it may not run
	if err := s.Uninstall(); err != nil {
		return fmt.Errorf("uninstall service %s: %w", Name, err)
	}
	return nil
}

// Start starts the installed service.
func Start() error { return control("start", service.Service.Start) }

// Stop stops it.
func Stop() error { return control("stop", service.Service.Stop) }

func control(verb string, do func(service.Service) error) error {
	s, err := open(Installation{}, nil)
	if err != nil {
		return err
	}
	if err := do(s); err != nil {
		return fmt.Errorf("%s service %s: %w", verb, Name, err)
	}
	return nil
}

// Managed says whether Windows' service manager started this process. Then
// nobody sees its output.
func Managed() bool { return runtime.GOOS == "windows" && !service.Interactive() }

// Run calls run until it returns. Its context ends with ctx, and under
// Windows' service manager also when that asks the service to stop.
func Run(ctx context.Context, run func(context.Context) error) error {
	if !Managed() {
		return run(ctx)
	}
	p := &program{run: run, ended: make(chan error, 1)}
	p.ctx, p.stop = context.WithCancelCause(ctx)
	s, err := open(Installation{}, p)
	if err != nil {
		return err
	}
	if err := s.Run(); err != nil {
		return fmt.Errorf("run as service %s: %w", Name, err)
	}
	return p.err
}

// ErrStopped is the cause of the context's end when the service manager stops the agent.
var ErrStopped = errors.New("stopped by the service manager")

// A program is what the service manager drives.
type program struct {
	run   func(context.Context) error
	ctx   context.Context // of the program's life, which the manager's calls have no other way to reach
	stop  context.CancelCauseFunc
	ended chan error
	err   error
}

// Start must not block. When the agent ends by itself, so does the process,
// with a failure: the service manager starts it again.
func (p *program) Start(s service.Service) error {
	go func() {
		err := p.run(p.ctx)
		p.ended <- err
		if p.ctx.Err() == nil {
			os.Exit(1)
		}
	}()
	return nil
}

func (p *program) Stop(service.Service) error {
	p.stop(ErrStopped)
	p.err = <-p.ended
	if errors.Is(p.err, ErrStopped) {
		p.err = nil
	}
	return p.err
}

func open(in Installation, p service.Interface) (service.Service, error) {
	if p == nil {
		p = &program{}
	}
	s, err := service.New(p, &service.Config{
		Name:        Name,
		DisplayName: "Drawbridge Agent",
		Description: "Carries out identity provisioning for the Drawbridge coordinator on this network.",
		UserName:    in.User,
		Arguments:   []string{"run", "--config", in.Config},
		Option: service.KeyValue{
			"SystemdScript":          unit(in),
			"OnFailure":              "restart",
			"OnFailureDelayDuration": "5s",
			"OnFailureResetPeriod":   60,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("reach the service manager: %w", err)
	}
	return s, nil
}
