package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

func passwordCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "password",
		Short: "Pick up the passwords of new accounts, and have new ones made",
		Long: `Passwords of new accounts are kept sealed until a recipient picks them up, a week at most. They are
opened here, on this machine, with the recipient's secret key; the key goes nowhere.`,
	}
	c.AddCommand(passwordList(s), passwordShow(s), passwordLink(s), passwordNew(s))
	return c
}

func passwordList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list [PERSON]",
		Short: "List passwords that nobody has picked up, the newest first",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := s.passwords(cmd, append(args, "")[0])
			if err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("PERSON", "SYSTEM", "MADE", "FORGOTTEN", "RECIPIENTS", "ACCOUNT")
				for _, p := range list {
					t.row(strings.TrimSpace(p.Person+" "+p.Display), p.System, stamp(p.Made), stamp(p.Forgotten), strings.Join(p.Recipients, ", "), p.Account)
				}
				t.print(s, "No passwords wait to be picked up.")
			})
		},
	}
}

func (s *session) passwords(cmd *cobra.Command, person string) ([]client.Password, error) {
	query := url.Values{}
	if person != "" {
		query.Set("person", person)
	}
	list := []client.Password{}
	err := s.api.Items(cmd.Context(), "/v1/passwords", query, &list)
	return list, err
}

// An openedPassword is what a recipient asked for; only here is it in the clear.
type openedPassword struct {
	client.Password
	Text string `json:"password"`
}

func passwordShow(s *session) *cobra.Command {
	var identity, system string
	var keep bool
	c := &cobra.Command{
		Use:   "show PERSON --identity FILE",
		Short: "Open the passwords of a person and print them; the coordinator then forgets them",
		Long: `Opens what is sealed for a person with the secret key in FILE, as made by drawbridge recipient keygen
or age-keygen, and has the coordinator forget what was opened. Who asked, and that it was picked up,
stands in the log. With --keep it can be opened again.`,
		Example: "  drawbridge password show E1001 --identity ~/desk.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := readIdentities(identity)
			if err != nil {
				return err
			}
			list, err := s.passwords(cmd, args[0])
			if err != nil {
				return err
			}
			opened := []openedPassword{}
			var refused []error
			for _, p := range list {
				if system != "" && p.System != system {
					continue
				}
				var box client.SealedPassword
				if err := s.api.Post(cmd.Context(), fmt.Sprintf("/v1/passwords/%d/open", p.ID), nil, &box); err != nil {
					return err
				}
				text, err := unseal(box.Box, keys)
				if err != nil {
					refused = append(refused, fmt.Errorf("password of %s in %s, sealed to %s: %w", p.Person, p.System, strings.Join(p.Recipients, ", "), err))
					continue
				}
				opened = append(opened, openedPassword{p, text.Reveal()})
			}
			if len(opened) == 0 && len(refused) == 0 {
				return &adviceError{fmt.Errorf("no password of %s waits to be picked up", args[0]),
					"drawbridge log --person " + args[0] + " tells whether it was picked up or forgotten"}
			}
			if len(opened) > 0 {
				if err := s.show(opened, func() { s.opened(opened) }); err != nil {
					return err
				}
			}
			for _, p := range opened { // printed first: what is forgotten is gone
				if keep {
					break
				}
				if err := s.api.Post(cmd.Context(), fmt.Sprintf("/v1/passwords/%d/forget", p.ID), nil, nil); err != nil {
					return err
				}
			}
			return errors.Join(refused...)
		},
	}
	c.Flags().StringVarP(&identity, "identity", "i", "", "file with the recipient's secret key")
	c.Flags().StringVar(&system, "system", "", "only of this system")
	c.Flags().BoolVar(&keep, "keep", false, "leave it to be picked up again")
	must(c.MarkFlagRequired("identity"))
	return c
}

func passwordLink(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "link PERSON",
		Short: "Make a one-time link by which somebody picks up their new passwords in a browser",
		Long: `Makes a pair of keys on this machine. The secret one becomes the end of a link, which browsers send to no
server; the coordinator is told the public one, and new accounts of PERSON whose document names "pickup"
among its recipients have their passwords sealed to it. Whoever has the link can open them: hand it over
as you would a password. Each password is shown once. Make the link before the account is made.`,
		Example: "  drawbridge password link E1001",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			identity, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			var made client.Pickup
			ask := client.NewPickup{Name: client.PickupName(identity.String()), Key: identity.Recipient().String()}
			if err := s.api.Post(cmd.Context(), "/v1/people/"+segment(args[0])+"/pickup", ask, &made); err != nil {
				return err
			}
			if !made.Built {
				return &adviceError{errors.New("this coordinator was built without the page for picking up passwords"), "build it with make build, where there is npm; drawbridge password show works without"}
			}
			link := made.URL + "#" + identity.String()
			return s.show(map[string]any{"person": made.Person, "link": link, "until": made.Until}, func() {
				s.printf("Good until %s, for passwords that are made from now on. Hand it over as you would a password:\n%s", stamp(made.Until), link)
			})
		},
	}
}

func passwordNew(s *session) *cobra.Command {
	var in client.NewPassword
	var wait time.Duration
	c := &cobra.Command{
		Use:   "new PERSON",
		Short: "Have a new password made for somebody's accounts",
		Long: `The password is made where the account is, by the rule of the system's document, and sealed to whom it names;
the one before is void. It waits to be picked up as that of a new account does.`,
		Example:           "  drawbridge password new E1001 --system corp-ad",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete("/v1/people?limit=200", "key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var made struct {
				Items []client.Job `json:"items"`
			}
			if err := s.api.Post(cmd.Context(), "/v1/people/"+segment(args[0])+"/password", in, &made); err != nil {
				return err
			}
			if err := s.awaitJobs(cmd.Context(), made.Items, wait); err != nil {
				return err
			}
			return errors.Join(s.show(made.Items, func() { s.newPasswords(args[0], made.Items) }), failed(made.Items))
		},
	}
	c.Flags().StringVar(&in.System, "system", "", "only in this system")
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the systems")
	return c
}

func (s *session) newPasswords(person string, jobs []client.Job) {
	t := newTable("SYSTEM", "JOB", "STATE", "WHAT")
	for _, j := range jobs {
		text := j.Text
		if j.Fault != nil {
			text += ": " + j.Fault.Cause
		}
		t.row(j.System, fmt.Sprint(j.ID), j.State, text)
	}
	t.print(s, "")
	s.printf("Recipients open it with: drawbridge password show %s --identity FILE", person)
}

// failed says that not everything was done, so that scripts notice.
func failed(jobs []client.Job) error {
	for _, j := range jobs {
		if j.State == "failed" || j.State == "dropped" {
			return &adviceError{fmt.Errorf("job %d in %s: %s %s", j.ID, j.System, j.State, j.Outcome), fmt.Sprintf("drawbridge job show %d; then ask again", j.ID)}
		}
	}
	return nil
}

// awaitJobs asks for jobs until all have ended, or the time is over.
func (s *session) awaitJobs(ctx context.Context, jobs []client.Job, wait time.Duration) error {
	_, err := poll(ctx, wait, func() (all bool, err error) {
		all = true
		for i := range jobs {
			if j := &jobs[i]; j.Ended.IsZero() {
				if err := s.api.Get(ctx, fmt.Sprintf("/v1/jobs/%d", j.ID), nil, j); err != nil {
					return false, err
				}
				all = all && !j.Ended.IsZero()
			}
		}
		return all, nil
	})
	return err
}

func (s *session) opened(list []openedPassword) {
	t := newTable("PERSON", "SYSTEM", "PASSWORD", "ACCOUNT")
	for _, p := range list {
		t.row(p.Person, p.System, p.Text, p.Account)
	}
	t.print(s, "")
}

func readIdentities(path string) ([]age.Identity, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	keys, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil { // it may quote the file
		return nil, &adviceError{fmt.Errorf("secret key: %s holds no age identity", path), "give the file that drawbridge recipient keygen made"}
	}
	return keys, nil
}

// unseal tries every key.
func unseal(box []byte, keys []age.Identity) (text sealed.Secret, err error) {
	for _, key := range keys {
		if text, err = sealed.Unseal(box, key); err == nil {
			return text, nil
		}
	}
	return text, err
}
