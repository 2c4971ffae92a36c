export const title = "Usage";
export async function show() {}
