// A real OpenID provider in the place of Entra's token endpoint: it verifies client assertions by
// itself (signature, audience, times, jti, issuer and subject), and knows the app by its certificate.
//
//   NODE_MODULES=…/node_modules node provider.mjs TENANT CLIENT_ID CERTIFICATE.pem SERVER_KEY.pem SERVER.pem
//
// Listens on a free port of loopback and prints its origin as one line. Ends with its standard input.
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const entry = path.join(process.env.NODE_MODULES, 'oidc-provider', 'lib', 'index.js');
const { default: Provider, errors } = await import(pathToFileURL(entry));
const [tenant, client, certificate, serverKey, serverCertificate] = process.argv.slice(2);

const x509 = new crypto.X509Certificate(fs.readFileSync(certificate));
const thumbprint = crypto.createHash('sha256').update(x509.raw).digest('base64url');
const graph = 'https://graph.microsoft.com';
const scope = `${graph}/.default`;

const server = https.createServer({ key: fs.readFileSync(serverKey), cert: fs.readFileSync(serverCertificate) });
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `https://localhost:${server.address().port}`;

const provider = new Provider(origin, {
  routes: {
    token: `/${tenant}/oauth2/v2.0/token`,
    jwks: `/${tenant}/discovery/v2.0/keys`,
    authorization: `/${tenant}/oauth2/v2.0/authorize`,
  },
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['PS256'] },
  scopes: ['openid', scope],
  clients: [{
    client_id: client,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'PS256',
    jwks: { keys: [{ ...x509.publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'PS256' }] },
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope,
  }],
  // Entra finds the key by the certificate's thumbprint; an assertion that names another is refused.
  async assertJwtClientAuthClaimsAndHeader(ctx, claims, header) {
    if (header['x5t#S256'] !== thumbprint) {
      throw new errors.InvalidClientAuth('x5t#S256 names no certificate of this client');
    }
    if (header.typ !== 'JWT' || typeof claims.nbf !== 'number' || claims.exp - claims.nbf > 600) {
      throw new errors.InvalidClientAuth('typ, nbf or exp are not as Microsoft documents them');
    }
  },
  ttl: { ClientCredentials: 3600 },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => graph,
      getResourceServerInfo: () => ({ scope, audience: graph, accessTokenTTL: 3600, accessTokenFormat: 'jwt' }),
    },
  },
});
// Why an assertion was refused stays here: clients are told invalid_client only.
provider.on('grant.error', (ctx, error) => console.log(`refused: ${error.error_detail ?? error.message}`));
provider.on('server_error', (ctx, error) => console.log(`error: ${error.stack}`));
server.on('request', provider.callback());
console.log(origin);
process.stdin.on('end', () => process.exit(0)).resume();
