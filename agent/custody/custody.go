// Package custody keeps the agent's files to those who may see and change them.
//
// Two kinds of folder are made here. A [Private] one holds keys, sealed secrets
// and what was read of people: only the account the agent runs as, the system
// and administrators come in. A [Shared] one holds what the admin decides:
// others may read there, and only administrators write.
//
// On Unix the mode says it all. On Windows a new folder has the access list of
// the one above, and below %ProgramData% that lets every user of the host read
// and add files; so the list is given with the folder, in one call, without a
// moment in between. What may go wrong there: a user makes the folder before
// the agent is installed, and owns it, or one above it, and could later put
// another in its place. Every folder on the way must belong to an administrator
// for this reason, or nothing is kept there.
//
// [Trusted] asks the same of one file: the guardrail, before it is obeyed.
package custody
