package client

import "time"

// NewRelease is a release to be given out.
type NewRelease struct {
	File string `json:"file" maxLength:"65536" doc:"The signed release file, as drawbridge-agent release sign wrote it"`
}

// A Release is one of the agent's side, which agents can be given.
type Release struct {
	Version  string        `json:"version" doc:"SemVer" example:"1.4.0"`
	Released time.Time     `json:"released" doc:"When it was signed"`
	Added    time.Time     `json:"added" doc:"When it was put in here"`
	Who      string        `json:"who" doc:"Who put it in"`
	Complete bool          `json:"complete" doc:"Every executable is here"`
	Files    []ReleaseFile `json:"files" doc:"Executables"`
}

// A ReleaseFile is an executable of a release.
type ReleaseFile struct {
	Part     string `json:"part" enum:"agent,connectors" doc:"What it is"`
	Platform string `json:"platform" doc:"Operating system and architecture" example:"windows/amd64"`
	Size     int64  `json:"size" doc:"Bytes"`
	Here     int64  `json:"here" doc:"Bytes of it that were sent"`
	SHA256   string `json:"sha256" doc:"Of the executable, hexadecimal"`
}

// RingVersion moves a ring to a release.
type RingVersion struct {
	Version string `json:"version" maxLength:"64" doc:"Release that its agents are to have; empty: stay with what there is" example:"1.4.0"`
}

// A RingState is a group of agents that are updated together.
type RingState struct {
	Name     string    `json:"name" doc:"Name"`
	Version  string    `json:"version,omitempty" doc:"Release that its agents are to have"`
	Changed  time.Time `json:"changed,omitzero" doc:"When that was said"`
	Who      string    `json:"who,omitempty" doc:"By whom"`
	Agents   int       `json:"agents" doc:"Agents in it that are not revoked"`
	Updated  int       `json:"updated" doc:"Agents in it that have the release"`
	TookBack []string  `json:"took_back" doc:"Hosts whose agents took the release back: it is given to no further agent until the ring is moved again"`
}

// An AgentUpdate is how an agent's update stands, as it told.
type AgentUpdate struct {
	State    string    `json:"state" enum:"current,held,refused,fetching,waiting,ready,trial,failed" doc:"waiting: for its hours; ready: it asks for leave, which one agent of a site has at a time; trial: the release runs and proves itself; failed: it was taken back"`
	Version  string    `json:"version,omitempty" doc:"Release that this is about"`
	Cause    string    `json:"cause,omitempty" doc:"Why"`
	Previous string    `json:"previous,omitempty" doc:"Release that would be gone back to"`
	Since    time.Time `json:"since" doc:"Since when"`
}
