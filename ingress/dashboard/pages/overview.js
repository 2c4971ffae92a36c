export const title = "Overview";
export async function show() {}
