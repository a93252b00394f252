// The module: what the WIT's world exports, as one object an interface.

import { greetingFor } from "./greeting.js";

const methods = {
  greet(name) {
    try {
      return greetingFor(name);
    } catch (error) {
      throw { kind: "invalid", message: error.message, hint: "give a name" };
    }
  },
};

export { methods as {{name_in_js}} };
