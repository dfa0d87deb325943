// The story with @modelcontextprotocol/sdk, the first generation.
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { main } from './story.mjs';

await main({
  name: 'mcpauth-sdk-v1',
  Client,
  Transport: StreamableHTTPClientTransport,
  UnauthorizedError,
  finishAuth: (transport, response) => transport.finishAuth(response.get('code')),
  protocol: (client, transport) => transport.protocolVersion,
});
