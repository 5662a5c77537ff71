// Serves one answer with @copilotkit/aimock, for comparison; prints its address.
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, chunkSize: 80, latency: 0, logLevel: "silent", journalMaxEntries: 10000 });
mock.onMessage("hello", { content: process.argv[2] });
await mock.start();
console.log(mock.url);
