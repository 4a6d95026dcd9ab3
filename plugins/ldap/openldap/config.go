package openldap

// config is slapd.conf. The attributes have Active Directory's names, syntaxes
// and lengths; their OIDs are Microsoft's. manager and member are OpenLDAP's own.
const config = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema

attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{256} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{1024} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.146 NAME 'objectSid' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.35 NAME 'employeeID' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{16} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.141 NAME 'department' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.146 NAME 'company' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64} SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.96 NAME 'pwdLastSet' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL
	MAY ( sAMAccountName $ userPrincipalName $ userAccountControl $ objectGUID $ objectSid $ employeeID $ department $ company $ accountExpires $ pwdLastSet $ objectCategory $ co ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL
	MUST cn MAY ( member $ description $ sAMAccountName $ objectGUID $ objectSid $ objectCategory ) )

modulepath /usr/lib/ldap
moduleload back_mdb
MODULESpidfile DIR/pid
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
TLSVerifyClient try
sizelimit unlimited

database mdb
maxsize 4294967296
suffix "BASE"
rootdn "ADMIN"
rootpw SECRET
directory DIR/db
index objectClass,sAMAccountName,userPrincipalName,employeeID,objectGUID,mail,cn,uid,member,manager eq
DATABASE`

// The overlays of a database of which nothing is said.
const overlays = `dbnosync
overlay memberof
memberof-group-oc group
overlay refint
refint_attributes member manager
`

// Standard are lines for a database as people run it: groups are groupOfNames,
// references follow renames and deletions, changes are told by syncrepl, with a
// log of a thousand deletions, and accounts can be locked by the password policy,
// which is the entry cn=policy below the base, if there is one.
const Standard = `dbnosync
index entryUUID,entryCSN,memberUid,uniqueMember eq
overlay memberof
memberof-group-oc groupOfNames
overlay refint
refint_attributes member uniqueMember manager
overlay ppolicy
ppolicy_default "cn=policy,BASE"
overlay syncprov
syncprov-checkpoint 1000 60
syncprov-sessionlog 1000
`
