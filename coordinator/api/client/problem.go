package client

// A Problem is an answer that refuses (RFC 9457).
type Problem struct {
	Type     string  `json:"type,omitempty" doc:"Kind of problem; about:blank when the status says it all"`
	Title    string  `json:"title" doc:"Kind of problem, for people"`
	Status   int     `json:"status" doc:"HTTP status"`
	Detail   string  `json:"detail,omitempty" doc:"What happened"`
	NextStep string  `json:"next_step,omitempty" doc:"What to do about it"`
	Errors   []Fault `json:"errors,omitempty" doc:"Each fault by its place"`
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// GetStatus gives the HTTP status, as huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType gives the media type of a problem in place of plain JSON.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// A Fault is one thing to mend, in a document or a request.
type Fault struct {
	Document string `json:"document,omitempty" doc:"File that was sent"`
	Line     int    `json:"line,omitempty" doc:"Line in it, from 1; 0 when there is none"`
	Column   int    `json:"column,omitempty" doc:"Column in characters, from 1; 0 when there is none"`
	Text     string `json:"text,omitempty" doc:"The line as it stands"`
	Field    string `json:"location,omitempty" doc:"Field of the request, such as query.limit"`
	Message  string `json:"message" doc:"What is wrong"`
	NextStep string `json:"next_step,omitempty" doc:"How to mend it"`
}
