export type { Addresses, InfraKind } from './external.js';
export { type Infra, type InfraOptions, startInfra } from './infra.js';
export type { ExtraListener } from './kafka.js';
export {
  isAlive,
  type Launch,
  launch,
  logTail,
  ownProcess,
  type ProcessId,
  type Running,
  readPidFile,
  startTimeOf,
  stopProcess,
  stopStale,
} from './process.js';
export type { BrokerName, OnExit, ServiceName } from './service.js';
export { choosePorts, LockedError, readHolder, takeLock, writeWhole } from './state.js';
export { stopTestInfra, testInfra } from './test-infra.js';
