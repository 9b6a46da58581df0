// Certificates of an authority that nobody else knows, made for one test.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An authority with its files in a folder that lives as long as the test. */
export class Authority {
  constructor(t) {
    this.folder = mkdtempSync(join(tmpdir(), 'lang-agent-tls-'));
    t.after(() => rmSync(this.folder, { recursive: true, force: true }));
    this.ca = this.at('ca.pem');
    this.openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
                 '/CN=Test CA', '-keyout', this.at('ca.key'), '-out', this.ca);
  }

  at(name) {
    return join(this.folder, name);
  }

  openssl(...args) {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }

  /** A certificate for these names, e.g. "DNS:localhost": the files of both, and their bytes. */
  certificate(name, names) {
    const [key, request, extensions, cert] =
      ['.key', '.csr', '.ext', '.pem'].map(end => this.at(name + end));
    this.openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, '-keyout', key,
                 '-out', request);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    this.openssl('x509', '-req', '-in', request, '-CA', this.ca, '-CAkey', this.at('ca.key'),
                 '-CAcreateserial', '-days', '2', '-extfile', extensions, '-out', cert);
    return { files: { key, cert }, tls: { key: readFileSync(key), cert: readFileSync(cert) } };
  }
}
