/** Attributes of people, as rules of a target read them and rules of a source fill them. */
export const paths = [
  "userName", "externalId", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone", "active",
  "name.formatted", "name.familyName", "name.givenName", "name.middleName", "name.honorificPrefix", "name.honorificSuffix",
  "emails.work", "emails.home", "emails.other",
  "phoneNumbers.work", "phoneNumbers.home", "phoneNumbers.mobile", "phoneNumbers.fax", "phoneNumbers.pager", "phoneNumbers.other",
  "addresses.work.streetAddress", "addresses.work.formatted", "addresses.work.locality", "addresses.work.region", "addresses.work.postalCode", "addresses.work.country",
  "entitlements", "roles", "employeeNumber", "costCenter", "organization", "division", "department", "manager",
  "startDate", "endDate", "company", "location", "office", "jobCode", "emailAliases", "employments",
];
