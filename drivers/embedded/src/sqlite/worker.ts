/** One thread of the database. It never throws: every failure is an answer. */
import { parentPort, workerData } from "node:worker_threads";
import { Committer } from "./commit.ts";
import { Connection, failureOf, Refusal } from "./connection.ts";
import { damageOfLog } from "./log-file.ts";
import { movedWith, packOutcomes, unpackJobs } from "./packed.ts";
import {
  type Checkpoint,
  logDamaged,
  type NumberedStatement,
  type Opened,
  type Outcome,
  type Reply,
  type Request,
  schemaTooNew,
  type ThreadData,
} from "./protocol.ts";
import { primary } from "./result-codes.ts";
import { migrate, schemaVersion } from "./schema.ts";

const { file, role, maxResultBytes } = workerData as ThreadData;
let connection: Connection;
let committer: Committer | undefined;

/** The log file is cut to this size when it starts over. */
const keptLogBytes = 32 * 1024 * 1024;
/**
 * KiB of pages that a connection keeps. Readers are asked for what the store and the events don't have at hand, which rarely comes twice: pages beyond
 * those at the top of the trees only push better things out of the processor's caches, and the system has them in memory anyway.
 */
const keptPages = { writer: 16_384, reader: 2_048, keeper: 16_384 } as const;
/** About so many bytes of a scan are given at once. */
const scanBytes = 256 * 1024;
/** So many problems of a damaged file are told. */
const toldProblems = 10;

function open(): Opened {
  try {
    if (role === "writer") checkLog();
    connection = new Connection(file, role === "reader", maxResultBytes);
    connection.database.exec(`PRAGMA cache_size = -${keptPages[role]}; PRAGMA foreign_keys = ON;`);
    if (role === "writer") openWriter();
    return { opened: true };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

/** Before SQLite sees it, who would go on without what it can't read. */
function checkLog(): void {
  const damage = file === ":memory:" ? undefined : damageOfLog(`${file}-wal`);
  if (damage === undefined) return;
  const { goodBytes, lostTransactions } = damage;
  const lost = lostTransactions === 0 ? "none of it can be read" : `${lostTransactions} transactions can't be read`;
  throw new Refusal(logDamaged, `${lost}, good are ${goodBytes} bytes`);
}

function openWriter(): void {
  const { database } = connection;
  // FULL: an acknowledged write survives the loss of power, not only of the process. Checkpoints are the keeper's.
  database.exec(`PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${keptLogBytes};`);
  if (!migrate(database)) throw new Refusal(schemaTooNew, `this version reads up to ${schemaVersion}`);
  // What a crash left in the log may be in memory only, if the disk failed then: written out anew, nothing later stands on it.
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  committer = new Committer(connection);
}

function answer(request: Request): Reply {
  switch (request.kind) {
    case "read":
    case "write": {
      connection.define(request.defined, request.forget);
      const jobs = unpackJobs(request.jobs);
      return { outcomes: packOutcomes(request.kind === "read" ? read(jobs) : (committer?.run(jobs) ?? [])) };
    }
    case "scan":
      connection.scan(request.sql, request.params);
      return { done: true };
    case "next":
      return connection.next(scanBytes);
    case "checkpoint":
      return { checkpoint: checkpoint() };
    case "vacuum":
      connection.database.exec(`PRAGMA incremental_vacuum(${request.pages})`);
      return { done: true };
    case "check":
      return { problems: check(request.queries) };
    case "close":
      // The last connection to go folds the log into the file.
      connection.database.close();
      return { done: true };
  }
}

/** In one transaction: the statements of a job see one state of the database, and beginning anew for each job would cost more than most read. */
function read(jobs: readonly (readonly NumberedStatement[])[]): Outcome[] {
  const { database } = connection;
  try {
    return jobs.map((job) => {
      // Some failures end the transaction.
      if (!database.isTransaction) database.exec("BEGIN");
      try {
        const executed = connection.execute(job);
        return "rows" in executed ? executed : { isUnmet: true };
      } catch (error) {
        return { failure: failureOf(error) };
      }
    });
  } finally {
    if (database.isTransaction) database.exec("COMMIT");
  }
}

/** Copies what it can from the log into the file, waiting for nobody and holding nobody up. */
function checkpoint(): Checkpoint {
  const [log = {}] = connection.database.prepare("PRAGMA wal_checkpoint(PASSIVE)").all();
  return {
    logPages: Number(log["log"]),
    copiedPages: Number(log["checkpointed"]),
    pages: pragma("page_count"),
    freePages: pragma("freelist_count"),
  };
}

function pragma(name: string): number {
  return Number(connection.database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function check(queries: readonly string[]): string[] {
  const { database } = connection;
  const problems = problemsOf(() => {
    const rows = database.prepare(`PRAGMA integrity_check(${toldProblems})`).all();
    return rows.map((row) => String(row["integrity_check"])).filter((problem) => problem !== "ok");
  });
  for (const query of queries) {
    const found = problemsOf(() => {
      const rows = database.prepare(`${query} LIMIT ${toldProblems}`).all();
      return rows.map((row) => String(Object.values(row)[0]));
    });
    problems.push(...found);
  }
  return problems;
}

/** What a check finds. Damage that keeps it from ending is a finding too. */
function problemsOf(find: () => string[]): string[] {
  try {
    return find();
  } catch (error) {
    const { code, message } = failureOf(error);
    if ((code & 0xff) !== primary.corrupt) throw error;
    return [message];
  }
}

const port = parentPort;
if (port !== null) {
  const serve = (request: Request) => {
    let reply: Reply;
    try {
      reply = answer(request);
    } catch (error) {
      const failure = failureOf(error);
      committer?.breakOn(failure);
      reply = { failure };
    }
    port.postMessage(reply, "outcomes" in reply ? movedWith(reply.outcomes) : []);
    if (request.kind === "close") port.close();
  };
  // The first message says that the file may be opened.
  port.once("message", () => {
    port.postMessage(open());
    port.on("message", serve);
  });
}
