package oidcrig

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// A Browser keeps cookies and follows no redirect by itself.
type Browser struct{ http *http.Client }

// NewBrowser makes one that nobody has used.
func NewBrowser() *Browser {
	jar, _ := cookiejar.New(nil) // fails never without options
	return &Browser{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// A Page is an answer.
type Page struct {
	Status   int
	Header   http.Header
	Location string // where it leads, absolute; empty: nowhere
	Text     string
}

// Get asks for an address.
func (b *Browser) Get(address string) (Page, error) { return b.do(http.MethodGet, address, nil) }

// Post sends a form as a page of the same site does.
func (b *Browser) Post(address string, form url.Values) (Page, error) {
	return b.do(http.MethodPost, address, form)
}

// Cookies gives the cookies that an address would be sent.
func (b *Browser) Cookies(address string) []*http.Cookie {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	return b.http.Jar.Cookies(u)
}

func (b *Browser) do(method, address string, form url.Values) (p Page, err error) {
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return p, err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("User-Agent", "Browser of the rig")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	p = Page{Status: resp.StatusCode, Header: resp.Header, Text: string(text)}
	if to, err := resp.Location(); err == nil {
		p.Location = to.String()
	}
	return p, err
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// SignIn goes from an address through the provider's pages, signs in as login,
// consents, and gives the address with which the provider sends the browser
// back, which begins with back; it is not asked for.
func (b *Browser) SignIn(address, login, back string) (string, error) {
	p, err := b.Get(address)
	for range 20 {
		switch form := formAction.FindStringSubmatch(p.Text); {
		case err != nil:
			return "", err
		case strings.HasPrefix(p.Location, back):
			return p.Location, nil
		case p.Location != "":
			address = p.Location
			p, err = b.Get(address)
		case p.Status == http.StatusOK && form != nil:
			values := url.Values{"prompt": {"consent"}}
			if strings.Contains(p.Text, `value="login"`) {
				values = url.Values{"prompt": {"login"}, "login": {login}, "password": {"any"}}
			}
			action := strings.ReplaceAll(form[1], "&amp;", "&")
			if base, parseErr := url.Parse(address); parseErr == nil {
				if to, parseErr := base.Parse(action); parseErr == nil {
					action = to.String()
				}
			}
			p, err = b.Post(action, values)
			address = action
		default:
			return "", fmt.Errorf("the provider shows %d at %s: %.300s", p.Status, address, p.Text)
		}
	}
	return "", fmt.Errorf("no end of redirects at %s", address)
}
