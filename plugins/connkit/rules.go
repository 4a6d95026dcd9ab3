package connkit

import (
	"context"
	"runtime"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// A rule is one thing that every connector keeps.
type rule struct {
	name, what, why, cure string
	needs                 func(k *kit) (reason string) // why it does not apply; nil: it always does
	try                   func(ctx context.Context, k *kit) error
}

// rules returns all of them in the order they are tried.
func rules() []rule {
	return []rule{
		{"describe", "it starts, and says what it is",
			"An agent starts nothing that it cannot identify, and shows people what the description says.",
			"Name it as the executable's argument does, in lower case; give a SemVer version, each capability once, and a JSON Schema whose properties all have a description. Answer an agent of a later contract with your own version.",
			nil, describes},
		{"settings", "it refuses wrong settings, and names each that is wrong",
			"A setting with a typing error that is silently ignored is found out months later, by damage.",
			"Decode strictly: refuse unknown keys, missing ones, wrong types and secrets among the settings, in the fault of Open, by name.",
			nil, refusesSettings},
		{"open", "it is opened once, and refuses every call before that",
			"A second system in one process would be written to with the first one's rights.",
			"Answer FAILED_PRECONDITION to a second Open, and to Probe, Schema, Read, Find and Apply before the first.",
			nil, opensOnce},
		{"probe", "its probe says step by step what it tried",
			"doctor shows these steps to the person who sets the system up.",
			"Give every step a name, an outcome and the time it took, and stop at the first that fails.",
			nil, probes},
		{"schema", "its schema is in order and complete",
			"Mappings are checked against the schema before they run.",
			"Name each attribute once, in ascending order, with a type; have the classes and attributes that objects really show.",
			nil, hasSchema},
		{"unknown verb", "it refuses what it does not declare, without harm",
			"An agent of a later release may ask for what this connector has never heard of.",
			"Answer INVALID to an operation whose verb you do not know or do not declare.",
			nil, refusesVerbs},

		{"values", "objects have the form that the contract gives them",
			"The agent compares bytes, and mappings compute with values: a time in another form or an id that is there twice makes changes out of nothing.",
			"Sort attributes by name, give each object an id of its own, write values as their type says, and at most one where the schema says so.",
			needs(sdk.CanRead), readsValues},
		{"same twice", "two reads of what nobody has changed give the same bytes",
			"Each difference is a change for everybody who is mapped from it.",
			"Leave out times of reading, random order of values, and counters; marshal deterministically.",
			needs(sdk.CanRead), readsTheSame},
		{"rows", "as rows, which an agent may take, objects are the same",
			"Rows are half as long on the way and become objects at the agent: what differs changes everybody.",
			"Have none in a response unless the request says so; give a value for each attribute of the table, which has its names in ascending order.",
			needs(sdk.CanRead), readsRows},
		{"only asked", "nothing leaves that was not asked for",
			"Only what is mapped may leave the site: salaries and birthdays stay.",
			"Drop attributes that are not in the request, and classes too; compare names without regard to case.",
			needs(sdk.CanRead), readsOnlyAsked},
		{"batches", "a read comes in batches that an agent can hold",
			"An agent takes messages up to 16 MiB and has little memory.",
			"Send a few hundred records in a response, and the end in the last.",
			needs(sdk.CanRead), readsInBatches},
		{"cancel read", "a read that is given up stops, and harms nothing",
			"The agent gives up reads when it stops or loses its link.",
			"Watch the context of the call, and let go of what the read held.",
			needs(sdk.CanRead), outlivesCancel},
		{"paging", "a read shows every object that is there all along, while others are edited",
			"An object missing from a read that ended well is taken as deleted: its accounts are closed.",
			"Page by key and not by number of rows, or read in a snapshot; end with an error where neither is possible.",
			needsPaging, readsWhileEdited},
		{"delta", "what changed is what a full read would show",
			"What the delta leaves out never reaches the accounts.",
			"Take the cookie before the first object is read, give what is gone by its id, or end with resync where the system cannot tell.",
			needsDelta, readsChanges},
		{"quiet delta", "there are no changes when nothing has changed, and a foreign cookie is refused",
			"A cookie of another system, or from before a restore, would skip changes for ever.",
			"Check that the cookie is yours and still good; otherwise end with CONFLICT and resync.",
			needs(sdk.CanReadChanges), readsNoChanges},
		{"find", "it finds what it reads, and nothing else",
			"People are matched to accounts by this: a wrong match gives one person another's account.",
			"Compare by the system's own equality, quote what is looked for, and return the same values as a read.",
			needs(sdk.CanRead, sdk.CanFind), finds},
		{"watch", "it notices a change",
			"Without it a change waits for the next scheduled read.",
			"Call changed whenever something may be new, and end when the context ends.",
			needsWatch, watches},

		{"create", "a new object has every value it was created with",
			"What the answer says is recorded as the state of the account.",
			"Return the object as the system has it after the create, with its native id.",
			needsCreate, creates},
		{"create again", "creating the same again makes no second object, also when both run at a time",
			"After an answer that was lost the agent repeats, and a person must not get two accounts.",
			"Look for the anchor first, and after the system refuses a name; return what has it, unchanged.",
			needsCreate, createsOnce},
		{"honest schema", "every attribute that it says it writes comes back as written",
			"A value that is dropped or altered in silence is planned again for ever, or is never noticed.",
			"Mark as read_only what cannot be written; refuse with INVALID what the system would shorten or change.",
			needsModify, keepsSchema},
		{"compare and swap", "a change is made only where the expected value is, all of it or nothing",
			"Otherwise an administrator's change of a minute ago is overwritten.",
			"Compare in the same round trip as you write (WHERE, If-Match, delete the old value and add the new); return CONFLICT and the object otherwise.",
			needsModify, comparesAndSwaps},
		{"race", "of two changes to the same value at the same time exactly one is made",
			"Two agents, or an agent and a person, do meet.",
			"Let the system compare, not the connector; where it cannot, hold a lock over both.",
			needsModify, oneWins},
		{"not found", "a change to an object that is not there says NOT_FOUND",
			"The engine then reads again, instead of trying for days.",
			"Tell an object that is missing from every other failure.",
			needsModify, missesObject},
		{"hostile values", "hard names come back as they were, or are refused by name",
			"O'Brien, Jr. and Zoë are employees; and somebody will try an injection.",
			"Quote by the system's rules, never by hand; refuse with INVALID and the attribute what it cannot hold. Never cut, never replace.",
			needsCreate, keepsHostileValues},
		{"move", "it moves, and only from where the object was seen",
			"A move from elsewhere would undo an administrator's.",
			"Compare expect_address, answer CONFLICT where it differs, and unchanged where it is there already.",
			needsMove, moves},
		{"enable", "it enables and disables, and repeating is harmless",
			"Disabling a leaver is the most important thing a connector does.",
			"Write the one switch and nothing else, and say unchanged where it is so already.",
			needsEnable, enables},
		{"membership", "it joins and leaves groups, and repeating is harmless",
			"Groups grant access.",
			"Take membership that is there already as done; leave the group's other members alone.",
			needsGroup, changesMembership},
		{"password", "a new password is sealed to its recipient, and differs each time",
			"Nobody on the way may learn it.",
			"Generate it in the connector by the rule's length, and return it sealed with proto/sealed (age, X25519) only.",
			needsPassword, setsPassword},
		{"delete", "it deletes, and deleting again is harmless",
			"A delete whose answer was lost is repeated.",
			"Answer DONE and unchanged where the object is gone already.",
			needsDelete, deletes},
		{"many at a time", "each of many operations at a time is answered once, by its tag",
			"An answer with another's tag records the wrong object.",
			"Keep the tag with the operation; let one goroutine or thread at a time send.",
			needsModify, answersEach},

		{"cancel write", "operations that are given up leave the connector sound",
			"The agent gives up when it stops.",
			"Return when the context ends, with UNKNOWN where something may have been written; let go of locks and connections.",
			needsCreate, outlivesCancelledWrites},
		{"kill", "killed at any moment of a create, the next process finds its work",
			"Power fails, and services are restarted in the middle of a write.",
			"Keep no state that cannot be lost; look for the anchor before making an object.",
			needsCreate, outlivesKills},
		{"slow down", "it obeys a system that says slow down",
			"A system that is asked on locks the customer out for hours.",
			"Return UNAVAILABLE with retry_after, or wait it out within the call; never try again at once.",
			needsLimited, slowsDown},
		{"memory", "its memory is bounded, however many objects there are",
			"It runs on a domain controller beside other services.",
			"Read in pages or with a cursor, and pass objects on as they come: the sink waits for a slow agent.",
			needsLarge, boundsMemory},
		{"ends with agent", "it ends by itself when the agent is gone",
			"Orphans pile up, and go on writing to the system.",
			"Exit within seconds of the last connection's end; sdk.Serve does.",
			nil, endsWithAgent},
		{"faults", "every fault says what happened and what to do next, in the contract's words",
			"It is all that the person who must act gets to see.",
			"Fill cause and next_step in every fault, give one unless the outcome is DONE, and use the seven outcomes only.",
			nil, wordsFaults},
		{"secrets", "no secret is in the log or in an answer",
			"Logs are collected and read by many; faults go to the cloud.",
			"Never print what Open was given, nor a library's error that holds it (connection strings, URLs); in Go, sealed.Secret and the SDK's log see to it.",
			needsSecrets, hidesSecrets},
	}
}

// needs returns a condition: the connector has the capabilities.
func needs(all ...sdk.Capability) func(*kit) string {
	return func(k *kit) string {
		for _, c := range all {
			if !k.can(c) {
				return "it does not declare " + c.String()
			}
		}
		return ""
	}
}

// first returns the first reason that there is.
func first(reasons ...string) string {
	for _, r := range reasons {
		if r != "" {
			return r
		}
	}
	return ""
}

func missing(is bool, reason string) string {
	if is {
		return reason
	}
	return ""
}

func needsCreate(k *kit) string {
	return first(needs(sdk.CanCreate)(k), missing(k.Create == nil, "test.yaml has no create: how to make an object of the class"))
}

func needsModify(k *kit) string { return first(needs(sdk.CanModify)(k), needsCreate(k)) }
func needsDelete(k *kit) string { return first(needs(sdk.CanDelete)(k), needsCreate(k)) }
func needsEnable(k *kit) string { return first(needs(sdk.CanSetEnabled)(k), needsCreate(k)) }

func needsMove(k *kit) string {
	return first(needs(sdk.CanMove)(k), needsCreate(k), missing(k.Move == "", "test.yaml has no move: another container"))
}

func needsGroup(k *kit) string {
	return first(needs(sdk.CanChangeMembership)(k), needsCreate(k), missing(k.Group == nil, "test.yaml has no group"))
}

func needsPassword(k *kit) string {
	return first(needs(sdk.CanSetPassword)(k), needsCreate(k))
}

// canEdit tells whether the kit can change something in the system.
func canEdit(k *kit) string {
	if needsCreate(k) == "" || !k.Edit.IsZero() {
		return ""
	}
	return "the kit cannot change anything in the system: the connector does not create, and test.yaml has no edit"
}

func needsPaging(k *kit) string { return first(needs(sdk.CanRead)(k), canEdit(k)) }
func needsDelta(k *kit) string  { return first(needs(sdk.CanReadChanges)(k), canEdit(k)) }
func needsWatch(k *kit) string  { return first(needs(sdk.CanWatch)(k), canEdit(k)) }

func needsLimited(k *kit) string {
	return missing(k.Limited == nil, "test.yaml has no limited: the system while it says slow down")
}

func needsLarge(k *kit) string {
	return first(needs(sdk.CanRead)(k), missing(k.Large == nil, "test.yaml has no large: the system with 1,000,000 objects"),
		missing(runtime.GOOS != "linux", "the kit knows a process's memory on Linux alone"))
}

func needsSecrets(k *kit) string {
	return missing(len(k.Secrets) == 0 && len(secretsOf(k.description)) == 0, "it has no secrets")
}
