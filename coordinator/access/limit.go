package access

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// mostClients is how many clients a limit remembers.
const mostClients = 10_000

// A limit is a number of requests a second for each client, with some in advance.
type limit struct {
	perSecond rate.Limit
	burst     int

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

func newLimit(perSecond float64, burst int) *limit {
	return &limit{perSecond: rate.Limit(perSecond), burst: burst, clients: map[string]*rate.Limiter{}}
}

// take uses one up; wait is how long it takes until there is one, 0 where there was.
func (l *limit) take(client string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.clients[client]
	if c == nil {
		if len(l.clients) >= mostClients {
			l.forget()
		}
		c = rate.NewLimiter(l.perSecond, l.burst)
		l.clients[client] = c
	}
	if c.Allow() {
		return 0
	}
	return max(time.Millisecond, time.Duration((1-c.Tokens())/float64(l.perSecond)*float64(time.Second)))
}

// forget makes room: those who have not asked for a while go, or, where there is nobody such, any.
func (l *limit) forget() {
	for name, c := range l.clients {
		if c.Tokens() >= float64(l.burst) {
			delete(l.clients, name)
		}
	}
	for name := range l.clients {
		if len(l.clients) < mostClients*9/10 {
			return
		}
		delete(l.clients, name)
	}
}

// tooMany refuses a request for now.
func tooMany(w http.ResponseWriter, wait time.Duration) {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	refuse(w, problem(http.StatusTooManyRequests, "too many requests", "ask again in "+strconv.Itoa(seconds)+" s, and more slowly"))
}
