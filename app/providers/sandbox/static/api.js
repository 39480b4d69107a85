// The control API. Every call throws an Error with a sentence that can be shown.

async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(`/sandbox/${path}`, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The sandbox can’t be reached.");
  }
  if (!answer.ok) throw new Error(`The sandbox refused this (${answer.status}).`);
  return answer.status === 204 ? null : answer.json();
}

export const status = () => call("GET", "status");
export const conversation = (phone) =>
  call("GET", `messages?phone=${encodeURIComponent(phone)}`).then((page) => page.results);
export const write = (message) => call("POST", "inbound", message);
export const sendPhotos = (photos) => call("POST", "photos", photos);
export const writeByPerson = (message) => call("POST", "desk", message);
export const faults = () => call("GET", "faults");
export const putFault = (name, fault) => call("PUT", `faults/${name}`, fault);
export const dropFault = (name) => call("DELETE", `faults/${name}`);
export const clearFaults = () => call("DELETE", "faults");
export const reset = () => call("POST", "reset");
