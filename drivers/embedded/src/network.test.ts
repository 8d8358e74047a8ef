import { describe, it } from "node:test";
import { networkConformance } from "@microts/blocks/network";
import { openTestNetwork } from "@microts/testing";

describe("EmbeddedNetwork", () => {
  networkConformance(it, { open: openTestNetwork });
});
