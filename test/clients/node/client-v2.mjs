// The story with @modelcontextprotocol/client, the second generation, which
// speaks the 2026-07-28 revision where the server does.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

import { main } from './story.mjs';

await main({
  name: 'mcpauth-client-v2',
  Client,
  clientOptions: { versionNegotiation: { mode: 'auto' } },
  Transport: StreamableHTTPClientTransport,
  UnauthorizedError,
  // The whole response, so that the SDK checks iss (RFC 9207).
  finishAuth: (transport, response) => transport.finishAuth(response),
  protocol: (client) => client.getNegotiatedProtocolVersion(),
});
