package main

import (
	"fmt"
	"os"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
)

func recipientCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "recipient",
		Short: "Who may open the passwords of new accounts",
		Long: `A new account's password is made where the account is, and sealed to the recipients that the
system's document names: the coordinator never holds a key that opens it. It knows public keys
only; the secret one stays in a file of whoever may read passwords.

A person's manager is the recipient whose name is the manager's key.`,
	}
	c.AddCommand(recipientAdd(s), recipientList(s), recipientRemove(s), recipientKeygen(s))
	return c
}

func recipientAdd(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME KEY",
		Short: "Give a recipient, or another key to one; it holds for passwords made from now on",
		Example: `  drawbridge recipient add service-desk age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
  drawbridge recipient add E1002 age1…      for whoever E1002 is the manager of`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r client.Recipient
			if err := s.api.Post(cmd.Context(), "/v1/recipients", client.NewRecipient{Name: args[0], Key: args[1]}, &r); err != nil {
				return err
			}
			return s.show(r, func() { s.printf("New passwords may be sealed to %s.", r.Name) })
		},
	}
}

func recipientList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List recipients",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []client.Recipient
			if err := s.api.Items(cmd.Context(), "/v1/recipients", nil, &list); err != nil {
				return err
			}
			return s.show(list, func() {
				t := newTable("NAME", "SINCE", "KEY")
				for _, r := range list {
					t.row(r.Name, stamp(r.Made), r.Key)
				}
				t.print(s, "No recipients. Give one with: drawbridge recipient add NAME KEY")
			})
		},
	}
}

func recipientRemove(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Seal no further passwords to a recipient",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.api.Post(cmd.Context(), "/v1/recipients/"+segment(args[0])+"/remove", nil, nil); err != nil {
				return err
			}
			return s.show(map[string]string{"removed": args[0]}, func() { s.printf("No further passwords are sealed to %s.", args[0]) })
		},
	}
}

func recipientKeygen(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a pair of keys: the secret one into FILE, the public one is printed",
		Long:  "Run it on the machine of whoever will read the passwords. It asks no coordinator, and overwrites no file.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			identity, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("store secret key: %w", err)
			}
			_, err = fmt.Fprintf(f, "# public key: %s\n%s\n", identity.Recipient(), identity)
			if closed := f.Close(); err == nil {
				err = closed
			}
			if err != nil {
				return fmt.Errorf("store secret key: %w", err)
			}
			key := identity.Recipient().String()
			return s.show(map[string]string{"key": key}, func() { s.printf("%s", key) })
		},
	}
}
