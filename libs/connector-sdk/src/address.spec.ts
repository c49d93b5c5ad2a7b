import { describe, expect, it } from '@jest/globals';
import { isProviderAddress } from './address.js';

describe('isProviderAddress', () => {
  it.each([
    'https://a.myshopify.com',
    'https://api.easypost.com/v2',
    'https://93.184.216.34',
    'https://[2606:4700::1111]',
    'http://127.0.0.1:4000',
    'http://localhost',
    'http://[::1]:1',
  ])('takes %s', (url) => expect(isProviderAddress(url)).toBe(true));

  it.each([
    '',
    'a.myshopify.com',
    'http://a.myshopify.com',
    'ftp://127.0.0.1',
    'file:///etc/passwd',
    'https://user:hush@a.myshopify.com',
    'https://10.1.2.3',
    'https://172.20.0.1',
    'https://192.168.1.1',
    'https://169.254.169.254/latest/meta-data',
    'https://0.0.0.0',
    'https://2130706434',
    'https://0x7f.1.2.3',
    'https://[::]',
    'https://[fe80::1]',
    'https://[fd00::1]',
    'https://[::ffff:10.0.0.1]',
  ])('refuses %s', (url) => expect(isProviderAddress(url)).toBe(false));
});
