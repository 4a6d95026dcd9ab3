package main

// benchmarks in the order in which they run.
var benchmarks = []benchmark{
	{"spool_accept", "durable accepts of the spool against raw grouped append and fdatasync", spoolAccept},
	{"spool_recover", "a spool of 1,000,000 waiting jobs, cold, until the first is in hand", spoolRecover},
	{"ad_write_double", "accounts written to the double through the whole path against bare go-ldap", adWriteDouble},
	{"ad_write_samba", "accounts written to Samba through the whole path against bare go-ldap", adWriteSamba},
	{"cycle_first", "100,000 workers from CSV to accounts against a bare program", cycleFirst},
	{"hr_to_ad", "from a changed row in HR to the changed account in the double, with nothing else to do and during full cycles of 100,000", hrToAD},
	{"cycle_nochange", "1,000,000 workers, nothing changed, against draining the connector; then 1 % changed", cycleNoChange},
	{"ldap_read", "100,000 entries of OpenLDAP through connector activedirectory and agent against C ldapsearch", ldapByAD},
	{"openldap_read", "the same through connector ldap", ldapByLDAP},
	{"sql_read", "300,000 rows of MariaDB through connector and agent against the bare driver scanning the same query", sqlRead},
	{"scim_write", "creates at a SCIM server (scimmy on Node) through the connector against a bare HTTP client with as many connections", scimWrite},
	{"self_tuning", "changes at the concurrency that the agent found against the best fixed one", selfTuning},
	{"agents_idle", "10,000 idle agents on one coordinator against bare streams; all back after a cut against bare handshakes", agentsIdle},
	{"outage", "a day without the coordinator at a site of 50,000 workers, and the catch-up, against the same with it there", outage},
	{"pg_queue", "changes claimed and answered on PostgreSQL, with all that is kept of them, against jobs of River that do nothing", pgQueue},
	{"eval_memory", "25 attributes of 1,000,000 people in memory against 150,000 people/s, and the same by hand", evalMemory},
	{"eval_store", "whom an edited document touches, of 1,000,000 people in the store, where every rule must be evaluated and where hardly any", evalStore},
	{"agent_idle", "an agent with nothing to do", agentIdle},
	{"api_lists", "what each page of the dashboard waits for, with 1,000,000 people and 10,000 agents, against the second that it may take", apiLists},
	{"dashboards_idle", "200 open dashboards when nothing happens, against 5 % of a core", dashboardsIdle},
}
