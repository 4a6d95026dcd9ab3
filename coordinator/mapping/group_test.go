package mapping_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
)

// What cannot be said of groups, and of values that several hands write, is refused where it is written.
func TestParse_groupsRefused(t *testing.T) {
	t.Parallel()
	const head = "system: ad\nsite: hq\nconnector: activedirectory\n"
	const target = "target:\n  class: user\n  name: displayName\n  attributes: {employeeID: employeeNumber}\n"
	const group = "  group: {name: displayName}\n"
	for name, c := range map[string]struct{ text, want string }{
		"made, and nobody says how":  {target + "  groups: [{value: department, make: true}]\n", "the target does not say how"},
		"of the directory, and made": {target + group + "  groups: [{directory: memberOf, make: true}]\n", "is not made by a rule"},
		"neither":                    {target + group + "  groups: [{make: true}]\n", "either value or directory"},
		"shown, and not made":        {target + group + "  groups: [{value: department, display: title}]\n", "display is for groups"},
		"a group makes others":       {target + "  group: {name: displayName, groups: [{value: displayName, make: true}]}\n", "does not make other groups"},
		"of the class of people":     {target + "  group: {class: user, name: displayName}\n", "of one class"},
		"no time":                    {target + "  group: {name: displayName, remove: soon}\n", "remove is no time"},
		"both ways": {"source:\n  class: user\n  people: join\n  attributes: {emails.work: mail}\n  group: {key: objectGUID, attributes: {displayName: cn}}\n" + target + group,
			"groups go one way"},
		"both ways, and nobody comes": {strings.Replace(target, "class: user\n", "class: user\n  both_ways: true\n", 1), "a system whose source makes people"},
		"both ways, and matched": {"source: {class: user, key: objectGUID, attributes: {emails.work: mail}}\n" +
			strings.Replace(target, "class: user\n", "class: user\n  both_ways: true\n  match: {mail: emails.work}\n", 1), "match has no place"},
		"an example of a group": {target + "examples: [{group: {displayName: Sales}, expect: {account: made}}]\n", "is for a target with the key group"},
		"additive, once only":   {strings.Replace(target, "employeeNumber", "{value: employeeNumber, keep: additive, apply: create}", 1), "keep: additive is for values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mapping.Parse("ad.yaml", []byte(head+c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse() = %v; want an error with %q", err, c.want)
			}
		})
	}
}
