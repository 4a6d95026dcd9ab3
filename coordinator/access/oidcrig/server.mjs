// Runs npm's oidc-provider with the clients and people of OIDC_RIG (JSON), on a
// port of its own, and prints {"listen": "host:port"}. It ends with its input.
// Its own pages ask who signs in and whether they consent; every password is good.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.OIDC_MODULES + '/');
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));
const rig = JSON.parse(process.env.OIDC_RIG);

const server = createServer((req, res) => answer(req, res));
let answer = (_, res) => res.writeHead(503).end();
server.listen(0, '127.0.0.1', () => {
  const listen = `127.0.0.1:${server.address().port}`;
  const provider = new Provider(rig.issuer || `http://${listen}`, {
    clients: rig.clients.map((c) => ({
      client_id: c.id,
      client_secret: c.secret || undefined,
      token_endpoint_auth_method: c.secret ? 'client_secret_basic' : 'none',
      redirect_uris: c.back,
    })),
    jwks: { keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'rig' }] },
    cookies: { keys: ['not secret'] },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups', 'realm_access'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    conformIdTokenClaims: !rig.claimsInToken,
    pkce: { required: () => true },
    ttl: { IdToken: (_, __, client) => (client.clientId === 'brief' ? 1 : 3600), AccessToken: 3600, Session: 3600, Interaction: 3600, Grant: 3600, AuthorizationCode: 600 },
    findAccount: (_, id) => rig.people[id] && { accountId: id, claims: () => ({ sub: id, ...rig.people[id] }) },
  });
  answer = provider.callback();
  console.log(JSON.stringify({ listen }));
});
process.stdin.on('end', () => process.exit(0)).resume();
