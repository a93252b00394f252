// The logic: what asks nothing of the machine can be tested without one.

export function greetingFor(name) {
  name = name.trim();
  if (!name) throw new RangeError("there is nobody to greet");
  return `Hello, ${name}!`;
}
