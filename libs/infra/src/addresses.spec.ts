import { describe, expect, it } from '@jest/globals';
import { externalAddresses } from './external.js';
import { brokerProperties } from './kafka.js';
import { javaMajor } from './kafka-jars.js';

const both = { KAFKA_BROKERS: 'a:9092, b:9093', DATABASE_URL: 'postgres://me:secret@db:5433/syncline?sslmode=require' };

describe('addresses from the environment', () => {
  it('are absent when neither is set', () => {
    expect(externalAddresses({})).toBeUndefined();
  });

  it('name the one that is missing', () => {
    expect(() => externalAddresses({ KAFKA_BROKERS: 'a:9092' })).toThrow(
      /KAFKA_BROKERS is set but DATABASE_URL is not/,
    );
    expect(() => externalAddresses({ DATABASE_URL: both.DATABASE_URL })).toThrow(
      /DATABASE_URL is set but KAFKA_BROKERS/,
    );
  });

  it('take the database warehouse of the same server unless told', () => {
    expect(externalAddresses(both)).toEqual({
      kafkaBrokers: ['a:9092', 'b:9093'],
      databaseUrl: both.DATABASE_URL,
      warehouseUrl: 'postgres://me:secret@db:5433/warehouse?sslmode=require',
    });
    const warehouse = 'postgres://other:1/dwh';
    expect(externalAddresses({ ...both, WAREHOUSE_URL: warehouse })?.warehouseUrl).toBe(warehouse);
  });

  it.each([
    [{ ...both, KAFKA_BROKERS: 'http://a' }, /KAFKA_BROKERS: "http:\/\/a" is not host:port/],
    [{ ...both, DATABASE_URL: 'mysql://u:hidden@db/x' }, /DATABASE_URL is not of the form/],
    [{ ...both, WAREHOUSE_URL: 'hidden' }, /WAREHOUSE_URL is not of the form/],
  ])('are refused by name, without their password', (env, message) => {
    expect(() => externalAddresses(env)).toThrow(message);
    expect(() => externalAddresses(env)).not.toThrow(/hidden/);
  });
});

describe('the Java version', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_402"', 8],
    ['openjdk version "25" 2025-09-16', 25],
    ['sh: not found', undefined],
  ])('of %s is %s', (banner, major) => {
    expect(javaMajor(banner)).toBe(major);
  });
});

describe('the broker configuration', () => {
  it('advertises the port of the proxy on the extra listener, and listens on its own', () => {
    const ports = { kafka: 1001, kafkaController: 1002, kafkaExtra: 1003 };
    const lines = brokerProperties([ports], 0, '/data', { name: 'PROXIED', advertisedPorts: [2003] }).split('\n');
    expect(lines).toContain(
      'listeners=PLAINTEXT://127.0.0.1:1001,CONTROLLER://127.0.0.1:1002,PROXIED://127.0.0.1:1003',
    );
    expect(lines).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:1001,PROXIED://127.0.0.1:2003');
    expect(lines).toContain('auto.create.topics.enable=false');
  });

  it('of three brokers names every voter, and keeps everything three times', () => {
    const ports = [1, 2, 3].map((n) => ({ kafka: 1000 + n, kafkaController: 2000 + n }));
    const lines = brokerProperties(ports, 1, '/data').split('\n');
    expect(lines).toContain('controller.quorum.voters=1@127.0.0.1:2001,2@127.0.0.1:2002,3@127.0.0.1:2003');
    expect(lines).toContain('listeners=PLAINTEXT://127.0.0.1:1002,CONTROLLER://127.0.0.1:2002');
    // The last line of a name is the one that counts.
    const value = (name: string) => lines.findLast((line) => line.startsWith(`${name}=`))?.split('=')[1];
    expect(['node.id', 'default.replication.factor', 'min.insync.replicas'].map(value)).toEqual(['2', '3', '2']);
    expect(['offsets.topic.replication.factor', 'transaction.state.log.min.isr'].map(value)).toEqual(['3', '2']);
  });
});
