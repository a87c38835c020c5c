/** What this document promises beyond what the linter knows: see redocly.yaml. */

const PROBLEM = "application/problem+json";
const SCOPES = ["read", "write", "draft", "send", "manage", "webhooks"];
/** The one of several filters that documentation pages fill in where one is needed. */
const PREFILLED = "campaign_id";
const SENTENCE = /[.?)]$/;

const inOperation = (path) => path.startsWith("/v1/");

function Operations() {
  let path = "";
  return {
    PathItem: {
      enter(_item, { key }) {
        path = key;
      },
      Operation(operation, { report, location }) {
        const fail = (message) => report({ message, location });
        if (!/^[a-z]+(_[a-z]+)+$/.test(operation.operationId)) fail("operationId is no name of a method: verb_noun");
        if (!SENTENCE.test(operation.description ?? "")) fail("the description is no sentence");
        if (SENTENCE.test(operation.summary ?? "") && !operation.summary.endsWith("?")) {
          fail("the summary is a heading, not a sentence");
        }
        if (!operation.security) fail("security must be said, if only that none is needed");
        if (!inOperation(path)) return;
        for (const name of ["x-effect", "x-upstream-operation", "x-cache-policy"]) {
          if (!operation[name]) fail(`${name} is missing`);
        }
      },
    },
  };
}

function Tags() {
  const used = [];
  return {
    Operation(operation) {
      for (const tag of operation.tags ?? []) if (!used.includes(tag)) used.push(tag);
    },
    Root: {
      leave(root, { report, location }) {
        const declared = root.tags.map((tag) => tag.name);
        if (declared.join() !== used.join()) {
          report({ message: `tags must be those in use, in their order: ${used.join(", ")}`, location: location.child("tags") });
        }
      },
    },
  };
}

function Names() {
  return {
    NamedSchemas(schemas, { report, location }) {
      for (const name of Object.keys(schemas)) {
        if (!/^([A-Z][a-z]+)+$/.test(name)) report({ message: `${name} is not PascalCase`, location: location.child(name) });
      }
    },
    SchemaProperties(properties, { report, location }) {
      for (const name of Object.keys(properties)) {
        if (!/^[a-z0-9]+(_[a-z0-9]+)*$/.test(name)) {
          report({ message: `${name} is not snake_case`, location: location.child(name) });
        }
      }
    },
    Parameter(parameter, { report, location }) {
      const pattern = parameter.in === "header" ? /^[A-Za-z]+(-[A-Za-z]+)*$/ : /^[a-z]+(_[a-z]+)*$/;
      if (!pattern.test(parameter.name)) report({ message: `${parameter.name} is badly named`, location });
    },
  };
}

function Schemas() {
  return {
    NamedSchemas(schemas, { report, location }) {
      for (const [name, schema] of Object.entries(schemas)) {
        const fail = (message) => report({ message: `${name}: ${message}`, location: location.child(name) });
        if (schema.title !== name) fail("the title is not its name");
        if (!SENTENCE.test(schema.description ?? "")) fail("the description is no sentence");
        if (schema.type === "object" && !schema.examples?.length) fail("there is no example");
        if (!schema.type) fail("there is no type");
      }
    },
    SchemaProperties(properties, { report, location, resolve }) {
      for (const [name, schema] of Object.entries(properties)) {
        const description = schema.description ?? (schema.$ref ? resolve(schema).node.description : "");
        const fail = (message) => report({ message: `${name}: ${message}`, location: location.child(name) });
        if (!SENTENCE.test(description)) fail("the description is no sentence");
        if (schema.enum || schema.items?.enum) fail("a choice of values is a schema with a name of its own");
        if (schema.properties || schema.items?.properties) fail("an object is a schema with a name of its own");
        if (schema.title) fail("a title of its own would become the name of a type");
      }
    },
  };
}

function Parameters() {
  return {
    Parameter(parameter, { report, location }) {
      const filled = parameter.example !== undefined;
      if (parameter.required && !filled) report({ message: `${parameter.name} has no example`, location });
      if (!parameter.required && filled && parameter.name !== PREFILLED) {
        report({ message: `${parameter.name} is optional, and pages would fill its example in`, location });
      }
      if (!SENTENCE.test(parameter.description ?? "")) report({ message: `${parameter.name} is not described`, location });
    },
  };
}

function JsonExamples() {
  const check = (content, { report, location, resolve }) => {
    const json = content?.["application/json"];
    if (!json || json.example !== undefined || json.examples) return;
    const schema = json.schema?.$ref ? resolve(json.schema).node : json.schema;
    if (!schema?.examples?.length) {
      report({ message: "there is no example", location: location.child(["content", "application/json"]) });
    }
  };
  return {
    RequestBody: (body, context) => check(body.content, context),
    Response(response, context) {
      if (/^2/.test(context.key)) check(response.content, context);
    },
  };
}

/** Headers that answers of one status carry. */
const HEADERS = { 201: ["Location"], 304: ["ETag"], default: ["WWW-Authenticate", "Retry-After", "Content-Language"] };

function Answers() {
  let path = "";
  return {
    PathItem: {
      enter(_item, { key }) {
        path = key;
      },
      Responses(responses, { report, location, resolve }) {
        // What receivers of webhooks answer is theirs to say.
        if (!path.startsWith("/")) return;
        for (const [status, given] of Object.entries(responses)) {
          const answer = given.$ref ? resolve(given).node : given;
          const needed = ["X-Request-ID", "traceparent", ...(HEADERS[status] ?? [])];
          if (inOperation(path)) needed.push("Cache-Control", "RateLimit", "RateLimit-Policy");
          if (answer.description === "Successful Response") {
            report({ message: `${status} has the framework's description`, location: location.child(status) });
          }
          for (const name of needed) {
            if (!answer.headers?.[name]) report({ message: `${status} lacks ${name}`, location: location.child(status) });
          }
        }
      },
    },
    Header(header, { report, location }) {
      if (!header.description) report({ message: "a header needs a description", location });
    },
  };
}

function Problems() {
  let path = "";
  return {
    PathItem: {
      enter(_item, { key }) {
        path = key;
      },
      Responses(responses, { report, location, resolve }) {
        if (!inOperation(path) && !path.startsWith("/admin/")) return;
        for (const status of ["422", "default"]) {
          if (!responses[status]) report({ message: `${status} is not described`, location });
        }
        for (const [status, given] of Object.entries(responses)) {
          if (status < "400") continue;
          const { content = {} } = given.$ref ? resolve(given).node : given;
          const examples = content[PROBLEM]?.examples ?? {};
          if (Object.keys(content).join() !== PROBLEM || !Object.keys(examples).length) {
            report({ message: `${status} is no ${PROBLEM} with examples`, location: location.child(status) });
          }
        }
      },
    },
  };
}

function Scopes() {
  let path = "";
  return {
    PathItem: {
      enter(_item, { key }) {
        path = key;
      },
      Operation(operation, { report, location, key: method }) {
        const fail = (message) => report({ message, location: location.child("security") });
        const schemes = new Set(operation.security.flatMap((requirement) => Object.keys(requirement)));
        if (path.startsWith("/admin/") && [...schemes].join() !== "admin_token") fail("operators have a credential of their own");
        if (!inOperation(path)) return;
        if ([...schemes].sort().join() !== "api_key,bearer") fail("either form of the key will do");
        for (const requirement of operation.security) {
          for (const [scheme, scopes] of Object.entries(requirement)) {
            if (scopes.length !== 1 || !SCOPES.includes(scopes[0])) fail(`${scheme} does not say which scope`);
            if (method !== "get" && scopes.includes("read")) fail("reading is not enough to change something");
          }
        }
      },
    },
  };
}

export default function gateway() {
  return {
    id: "gateway",
    rules: {
      oas3: {
        operations: Operations,
        tags: Tags,
        names: Names,
        schemas: Schemas,
        parameters: Parameters,
        "json-examples": JsonExamples,
        answers: Answers,
        problems: Problems,
        scopes: Scopes,
      },
    },
  };
}
