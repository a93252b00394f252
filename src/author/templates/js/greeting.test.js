import assert from "node:assert";
import { test } from "node:test";

import { greetingFor } from "./greeting.js";

test("somebody is greeted by name", () => {
  assert.strictEqual(greetingFor(" you "), "Hello, you!");
});

test("nobody is no name", () => {
  assert.throws(() => greetingFor(" "), RangeError);
});
