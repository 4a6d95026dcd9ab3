package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping/entra"
)

func importCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "import", Short: "Turn the configuration of other products into system documents"}
	c.AddCommand(&cobra.Command{
		Use:   "entra FILE",
		Short: "Turn an exported Entra synchronization schema (JSON) into system documents",
		Long: `Import writes the documents to standard output, and to standard error what could not be
carried over and what else is to be done. It needs no coordinator and changes nothing.`,
		Example: `  drawbridge import entra workday-to-ad.json > systems.yaml
  drawbridge system apply --dry-run -f systems.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return s.importEntra(args[0]) },
	})
	return c
}

func (s *session) importEntra(name string) error {
	file, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	im, err := entra.Import(file)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := s.out.Write(im.Document); err != nil {
		return err
	}
	fmt.Fprintf(s.errOut, "Not carried over, or to be looked at:\n")
	for _, n := range im.Notes {
		fmt.Fprintf(s.errOut, "  - %s\n", n)
	}
	var faults mapping.Faults
	if _, err := mapping.ParseFile("the documents", im.Document); errors.As(err, &faults) {
		fmt.Fprintf(s.errOut, "To be mended in the documents before they can be applied:\n%s\n", faults.Error())
	}
	return nil
}
