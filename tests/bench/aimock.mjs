// Serves scripted answers with @copilotkit/aimock, for comparison; prints its address.
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, chunkSize: 80, latency: 0, logLevel: "silent", journalMaxEntries: 10000 });
for (const [question, content] of Object.entries(JSON.parse(process.argv[2]))) mock.onMessage(question, { content });
await mock.start();
console.log(mock.url);
