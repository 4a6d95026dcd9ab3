package web

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"
	"github.com/golang-jwt/jwt/v5"
	dsig "github.com/russellhaering/goxmldsig"
)

// assertion returns what signs assertions, nil where the method has none.
func (a Auth) assertion(s Secrets) (func(now time.Time) (string, error), error) {
	if a.Method == "client_credentials" && a.ClientAuth != "assertion" {
		return nil, nil
	}
	key, err := parseKey(s.PrivateKey.Reveal())
	if err != nil {
		return nil, err
	}
	if a.Method == "saml_bearer" {
		return a.samlSigner(key)
	}
	return a.jwtSigner(key)
}

// jwtSigner signs as RFC 7523, 3, wants it.
func (a Auth) jwtSigner(key crypto.Signer) (func(time.Time) (string, error), error) {
	var method jwt.SigningMethod
	switch k := key.(type) {
	case *rsa.PrivateKey:
		method = jwt.SigningMethodRS256
	case ed25519.PrivateKey:
		method = jwt.SigningMethodEdDSA
	case *ecdsa.PrivateKey:
		method = jwt.SigningMethodES256
		if bits := k.Params().BitSize; bits == 384 {
			method = jwt.SigningMethodES384
		} else if bits != 256 {
			return nil, fmt.Errorf("the secret private_key is on a curve of %d bits; JWTs are signed on P-256 and P-384", bits)
		}
	}
	return func(now time.Time) (string, error) {
		token := jwt.NewWithClaims(method, jwt.MapClaims{
			"iss": orElse(a.Issuer, a.ClientID), "sub": orElse(a.Subject, a.ClientID), "aud": orElse(a.Audience, a.TokenURL),
			"iat": now.Unix(), "nbf": now.Add(-skew).Unix(), "exp": now.Add(a.AssertionAge).Unix(), "jti": newID(),
		})
		if a.KeyID != "" {
			token.Header["kid"] = a.KeyID
		}
		return token.SignedString(key)
	}, nil
}

// skew is how far the clocks of the two hosts may differ.
const skew = 2 * time.Minute

const (
	samlNS    = "urn:oasis:names:tc:SAML:2.0:assertion"
	bearer    = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	nameAsIs  = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	byX509    = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
	xmlMoment = "2006-01-02T15:04:05Z"
)

// samlSigner makes assertions as RFC 7522, 3, wants them.
func (a Auth) samlSigner(key crypto.Signer) (func(time.Time) (string, error), error) {
	certificate, err := readPEM(a.Certificate)
	if err != nil {
		return nil, fmt.Errorf("\"auth.certificate\": %w", err)
	}
	block, _ := pem.Decode(certificate)
	if block == nil {
		return nil, errors.New("\"auth.certificate\" holds no certificate in PEM")
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("\"auth.certificate\": %w", err)
	}
	store := dsig.TLSCertKeyStore(tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key})
	return func(now time.Time) (string, error) {
		context := dsig.NewDefaultSigningContext(store)
		context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
		root := a.samlAssertion(now)
		signature, err := context.ConstructSignature(root, true)
		if err != nil {
			return "", errors.New("the SAML assertion cannot be signed: auth.certificate and the secret private_key do not fit together, or the key is not RSA")
		}
		root.InsertChildAt(1, signature) // after the issuer (saml-core 2.3.3)
		document := etree.NewDocument()
		document.SetRoot(root)
		text, err := document.WriteToBytes()
		return base64.RawURLEncoding.EncodeToString(text), err
	}, nil
}

func (a Auth) samlAssertion(now time.Time) *etree.Element {
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(xmlMoment) }
	audience := orElse(a.Audience, a.TokenURL)
	root := etree.NewElement("saml:Assertion")
	root.CreateAttr("xmlns:saml", samlNS)
	root.CreateAttr("ID", "_"+newID())
	root.CreateAttr("IssueInstant", at(0))
	root.CreateAttr("Version", "2.0")
	root.CreateElement("saml:Issuer").SetText(orElse(a.Issuer, a.ClientID))
	subject := root.CreateElement("saml:Subject")
	name := subject.CreateElement("saml:NameID")
	name.CreateAttr("Format", nameAsIs)
	name.SetText(orElse(a.Subject, a.ClientID))
	confirmation := subject.CreateElement("saml:SubjectConfirmation")
	confirmation.CreateAttr("Method", bearer)
	data := confirmation.CreateElement("saml:SubjectConfirmationData")
	data.CreateAttr("NotOnOrAfter", at(a.AssertionAge))
	data.CreateAttr("Recipient", a.TokenURL)
	conditions := root.CreateElement("saml:Conditions")
	conditions.CreateAttr("NotBefore", at(-skew))
	conditions.CreateAttr("NotOnOrAfter", at(a.AssertionAge))
	conditions.CreateElement("saml:AudienceRestriction").CreateElement("saml:Audience").SetText(audience)
	statement := root.CreateElement("saml:AuthnStatement")
	statement.CreateAttr("AuthnInstant", at(0))
	statement.CreateElement("saml:AuthnContext").CreateElement("saml:AuthnContextClassRef").SetText(byX509)
	return root
}

func parseKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the secret private_key is no PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the secret private_key holds no RSA, EC or Ed25519 key that is not encrypted")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the secret private_key cannot sign")
	}
	return signer, nil
}

func newID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}
