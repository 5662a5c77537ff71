// Plays the flows of one client, and prints a line of JSON for each: its name and its failure.

export async function play(flows) {
  for (const [flow, run] of Object.entries(flows)) {
    let error = null;
    try {
      await run();
    } catch (failure) {
      console.error(failure);
      error = `${failure.name}: ${failure.message}`.slice(0, 500);
    }
    console.log("FLOW", JSON.stringify({ flow, error }));
  }
}
