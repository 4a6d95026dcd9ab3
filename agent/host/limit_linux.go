package host

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limit bounds what a process may take of memory, which ends it when it takes
// more, and has it write no image of itself to disk: it holds secrets. What it
// starts inherits both.
func limit(pid int, memory uint64) error {
	for resource, most := range map[int]uint64{unix.RLIMIT_DATA: memory, unix.RLIMIT_CORE: 0} {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return fmt.Errorf("limit its memory: %w", err)
		}
	}
	return nil
}
