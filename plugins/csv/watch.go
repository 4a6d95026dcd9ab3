package csv

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch tells when there is a new file, or new content, that has settled. It
// watches the folder, so that a file renamed into place is seen, and looks by
// itself every poll interval besides: a share does not tell of changes, nor
// does a folder that is itself replaced. A file that is there at the beginning
// is told of: it may have changed while nobody watched.
func (s *System) Watch(ctx context.Context, changed func()) error {
	var listening sync.WaitGroup
	defer listening.Wait()
	events := s.events(ctx, &listening)
	poll := time.NewTicker(s.settings.Poll)
	defer poll.Stop()
	var told, pending []fs.FileInfo // content that the agent knows of; that was seen since
	var since time.Time
	settle := time.NewTimer(0)
	defer settle.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-events:
		case <-poll.C:
		case <-settle.C:
		}
		now := s.look()
		if !sameLook(now, pending) {
			pending, since = now, time.Now()
		}
		if now == nil || sameLook(now, told) {
			continue
		}
		if left := s.settings.Settle - time.Since(since); left > 0 {
			settle.Reset(left)
			continue
		}
		told = now
		changed()
	}
}

// look returns what is at the path, and at the marker's if there is one; nil
// if either is not there.
func (s *System) look() []fs.FileInfo {
	var infos []fs.FileInfo
	paths := []string{s.settings.Path}
	if s.settings.DoneMarker != "" {
		paths = append(paths, s.settings.Path+s.settings.DoneMarker)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil
		}
		infos = append(infos, info)
	}
	return infos
}

func sameLook(a, b []fs.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !same(a[i], b[i]) {
			return false
		}
	}
	return true
}

// events returns a channel on which the operating system's notices come until
// ctx ends. Where it gives none the channel stays silent, and polling does all.
func (s *System) events(ctx context.Context, listening *sync.WaitGroup) <-chan struct{} {
	out := make(chan struct{}, 1)
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(filepath.Dir(s.settings.Path)); err != nil {
			watcher.Close()
		}
	}
	if err != nil {
		s.log.Warn("Folder cannot be watched, it is looked at now and then", "interval", s.settings.Poll, "err", err)
		return out
	}
	listening.Go(func() {
		defer watcher.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case _, open := <-watcher.Events:
				if !open {
					return
				}
			case _, open := <-watcher.Errors: // events were lost: look
				if !open {
					return
				}
			}
			select {
			case out <- struct{}{}:
			default:
			}
		}
	})
	return out
}
