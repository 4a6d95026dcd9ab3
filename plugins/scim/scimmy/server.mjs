// A SCIM server of SCIMMY for tests: users and groups in memory, a bearer token,
// an address of its own. It prints its address as one line of JSON when it
// serves, and ends with its standard input.
import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";

// The packages are installed below build/, not beside this file.
const require = createRequire(process.env.SCIMMY_MODULES + "/");
const express = require("express");
const SCIMMY = require("scimmy");
const { SCIMMYRouters } = require("scimmy-routers");

const token = process.env.SCIMMY_TOKEN;
const users = new Map(), names = new Map(), groups = new Map(), memberships = new Map();

const versions = process.env.SCIMMY_VERSIONS === "yes";
let changes = 0;

function stamp(old) {
    const now = new Date().toISOString();
    return { created: old?.meta.created ?? now, lastModified: now, ...(versions ? { version: `W/"${++changes}"` } : {}) };
}

// SCIMMY leaves versions to who uses it: here what the request expects is
// compared in the same moment in which the object is stored.
function expects(request, old) {
    const want = request?.header("If-Match");
    if (versions && old && want && want !== old.meta.version) throw new SCIMMY.Types.Error(412, null, "it has another version");
}

const plain = (value) => JSON.parse(JSON.stringify(value));

function shown(user) {
    const of = memberships.get(user.id);
    return of?.size ? { ...user, groups: [...of].map((id) => ({ value: id, display: groups.get(id)?.displayName, type: "direct" })) } : user;
}

function list(resource, all) {
    if (resource.filter) return resource.filter.match(all);
    return all;
}

SCIMMY.Resources.declare(SCIMMY.Resources.User, {
    egress: (resource) => {
        if (resource.id) {
            if (!users.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
            return shown(users.get(resource.id));
        }
        return list(resource, [...users.values()].map(shown));
    },
    ingress: (resource, data, request) => {
        const old = resource.id && users.get(resource.id);
        if (resource.id && !old) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        expects(request, old);
        const name = data.userName.toLowerCase(), owner = names.get(name);
        if (owner && owner !== resource.id) throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
        const { password, groups: ignored, ...rest } = plain(data);
        const user = { ...rest, id: resource.id ?? randomUUID(), meta: stamp(old) };
        if (old) names.delete(old.userName.toLowerCase());
        names.set(name, user.id);
        users.set(user.id, user);
        return shown(user);
    },
    degress: (resource) => {
        const old = users.get(resource.id);
        if (!old) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        users.delete(resource.id);
        names.delete(old.userName.toLowerCase());
        for (const id of memberships.get(resource.id) ?? []) {
            const group = groups.get(id);
            group.members = group.members.filter((m) => m.value !== resource.id);
        }
        memberships.delete(resource.id);
    },
});
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);

function join(group, old) {
    for (const m of old?.members ?? []) memberships.get(m.value)?.delete(group.id);
    for (const m of group.members ?? []) {
        if (!memberships.has(m.value)) memberships.set(m.value, new Set());
        memberships.get(m.value).add(group.id);
    }
}

SCIMMY.Resources.declare(SCIMMY.Resources.Group, {
    egress: (resource) => {
        if (resource.id) {
            if (!groups.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
            return groups.get(resource.id);
        }
        return list(resource, [...groups.values()]);
    },
    ingress: (resource, data, request) => {
        const old = resource.id && groups.get(resource.id);
        if (resource.id && !old) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        expects(request, old);
        const group = { ...plain(data), id: resource.id ?? randomUUID(), meta: stamp(old) };
        const seen = new Set();
        group.members = (group.members ?? []).filter((m) => !seen.has(m.value) && seen.add(m.value));
        groups.set(group.id, group);
        join(group, old);
        return group;
    },
    degress: (resource) => {
        const old = groups.get(resource.id);
        if (!old) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        join({ id: resource.id }, old);
        groups.delete(resource.id);
    },
});

const app = express();
app.use("/scim/v2", new SCIMMYRouters({
    type: "bearer",
    context: (request) => request,
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("Unknown token");
        return "tests";
    },
}));
SCIMMY.Config.set({ etag: versions });
const server = app.listen(0, "127.0.0.1", () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/scim/v2` }));
});
server.keepAliveTimeout = 60_000;
process.stdin.resume().on("end", () => process.exit(0)).on("error", () => process.exit(0));
