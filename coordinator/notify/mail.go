package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// Mail says how e-mail is sent. The zero value sends none.
type Mail struct {
	Server       string `yaml:"server"`        // host:port of the mail server
	From         string `yaml:"from"`          // address of the sender
	User         string `yaml:"user"`          // name to sign in with; none where it is empty
	PasswordFile string `yaml:"password_file"` // that holds the password of the user
	Password     string `yaml:"-"`             // what it holds
	TLS          string `yaml:"tls"`           // starttls (the default), tls, or none, which is for a server on this host
	CAFile       string `yaml:"ca_file"`       // PEM file of the authorities that the server's certificate may be of; those of the operating system where it is empty
	CA           []byte `yaml:"-"`             // what it holds
}

// Validate returns all that is wrong.
func (m Mail) Validate() error {
	if m.empty() {
		return nil
	}
	var errs []error
	host, port, err := net.SplitHostPort(m.Server)
	if _, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || host == "" {
		errs = append(errs, fmt.Errorf("mail server: %q is no host:port, such as smtp.corp.example:587", m.Server))
	}
	if !strings.Contains(m.From, "@") {
		errs = append(errs, fmt.Errorf("mail from: %q is no e-mail address", m.From))
	}
	if m.TLS != "" && m.TLS != "starttls" && m.TLS != "tls" && m.TLS != "none" {
		errs = append(errs, fmt.Errorf("mail tls: %q is not one of starttls, tls, none", m.TLS))
	}
	if m.TLS == "none" && m.User != "" {
		errs = append(errs, errors.New("mail tls: with none the password would be sent in the clear: use starttls or tls, or no user"))
	}
	if _, err := m.authorities(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (m Mail) empty() bool {
	return m.Server+m.From+m.User+m.PasswordFile+m.Password+m.TLS+m.CAFile == ""
}

// authorities gives those that the server's certificate may be of; nil for the operating system's.
func (m Mail) authorities() (*x509.CertPool, error) {
	if len(m.CA) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(m.CA) {
		return nil, fmt.Errorf("mail ca_file: %s holds no certificate (PEM)", m.CAFile)
	}
	return pool, nil
}

// send sends a notice to an address.
func (m Mail) send(ctx context.Context, address string, r store.Notice) error {
	if m.Server == "" {
		return errors.New("no mail server is configured")
	}
	var e event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return err
	}
	msg := mail.NewMsg()
	if err := errors.Join(msg.FromFormat("Drawbridge", m.From), msg.To(address)); err != nil {
		return err
	}
	msg.SetMessageIDWithValue(r.ID + "@" + after(m.From))
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.Subject(cut(oneLine("Drawbridge: " + e.Data.Text)))
	msg.SetBodyString(mail.TypeTextPlain, letter(e))
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	pool, err := m.authorities()
	if err != nil {
		return err
	}
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(tryWait), mail.WithTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: pool})}
	switch m.TLS {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(m.Password))
	}
	c, err := mail.NewClient(host, options...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tryWait)
	defer cancel()
	return c.DialAndSendWithContext(ctx, msg)
}

func after(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return strings.Trim(domain, "> ")
}

// oneLine keeps a text from becoming headers.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func letter(e event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", e.Data.Text)
	if e.Data.NextStep != "" {
		fmt.Fprintf(&b, "\nNext: %s.\n", strings.TrimSuffix(e.Data.NextStep, "."))
	}
	if e.Data.URL != "" {
		fmt.Fprintf(&b, "\n%s\n", e.Data.URL)
	}
	fmt.Fprintf(&b, "\n%s, %s of %s\n", e.Type, e.Timestamp.UTC().Format("2006-01-02 15:04:05 MST"), e.Data.Tenant)
	return b.String()
}
