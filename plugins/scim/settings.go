package scim

import (
	"errors"
	"fmt"

	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Settings are what an admin configures; README.md explains them.
type Settings struct {
	URL            string              `json:"url" doc:"base address of the interface, such as https://app.example/scim/v2" required:"true" anchor:"true"`
	Auth           web.Auth            `json:"auth" doc:"how to sign in"`
	Token          sealed.Secret       `json:"token" doc:"bearer token for auth.method token"`
	Password       sealed.Secret       `json:"password" doc:"password for auth.method basic"`
	ClientSecret   sealed.Secret       `json:"client_secret" doc:"secret of the OAuth2 client"`
	PrivateKey     sealed.Secret       `json:"private_key" doc:"key that signs assertions, PEM"`
	CertificateKey sealed.Secret       `json:"certificate_key" doc:"key of connection.certificate, PEM"`
	ProxyPassword  sealed.Secret       `json:"proxy_password" doc:"password at the proxy"`
	Dialect        string              `json:"dialect" doc:"how the server deviates from the standard, see the table of dialects" default:"rfc" enum:"rfc,entra,entra-2020,okta,aws,minimal"`
	Deviations     Dialect             `json:"deviations" doc:"what is different from the dialect"`
	Types          map[string][]string `json:"types" doc:"for an attribute with many values, types beyond those of the schema: {emails: [private]}"`
	PageSize       int                 `json:"page_size" doc:"objects a page; the server may give fewer" default:"200"`
	Delete         string              `json:"delete" doc:"how a delete is carried out: remove (DELETE), or deactivate and mark as deleted_mark says" default:"remove" enum:"remove,deactivate"`
	DeletedMark    map[string]string   `json:"deleted_mark" doc:"for delete deactivate: attributes and their values that tell a deleted object; one that is inactive and has them all is not read any more"`
	Connection     web.Connection      `json:"connection" doc:"how the server is reached"`
}

// Validate returns all faults that can be seen without a server.
func (s Settings) Validate() error {
	var faults []error
	if err := web.CheckURL("url", s.URL); err != nil {
		faults = append(faults, err)
	}
	if s.PageSize < 1 || s.PageSize > 10_000 {
		faults = append(faults, fmt.Errorf("\"page_size\" must be from 1 to 10000, not %d", s.PageSize))
	}
	for name := range s.DeletedMark {
		if _, err := path.Parse(name); err != nil {
			faults = append(faults, fmt.Errorf("\"deleted_mark\": %w", err))
		}
	}
	if (s.Delete == "deactivate") != (len(s.DeletedMark) > 0) {
		faults = append(faults, errors.New("\"delete\" deactivate and \"deleted_mark\" go together: without a mark a deleted object could not be told from a disabled one"))
	}
	return errors.Join(append(faults, s.Auth.Validate(s.secrets()), s.Connection.Validate())...)
}

func (s Settings) secrets() web.Secrets {
	return web.Secrets{Token: s.Token, Password: s.Password, ClientSecret: s.ClientSecret, PrivateKey: s.PrivateKey,
		CertificateKey: s.CertificateKey, ProxyPassword: s.ProxyPassword}
}
