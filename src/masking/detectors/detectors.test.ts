import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as stdnum from 'stdnum';
import { Detection } from '../detect.ts';
import { Plan } from '../plan.ts';
import { compileShape } from '../shape.ts';
import { detectors, detectorsNamed, knownDetectors } from './table.ts';

const columnOf = (names: string): string =>
  (names.split(', ')[0] ?? '').replace(/^=|[$?]+$/g, '').replaceAll(' ', '_');

describe('the table of detectors', () => {
  it('has forty kinds of personal data and forty kinds of secrets, each once', () => {
    assert.equal(new Set(detectors.map(({ name }) => name)).size, detectors.length);
    assert.ok(detectorsNamed('pii').length >= 40);
    assert.ok(detectorsNamed('secret').length >= 40);
  });

  it('names no detector as a group', () => {
    const groups = new Set<string>(detectors.flatMap((detector) => detector.groups));
    assert.deepEqual(
      detectors.filter(({ name }) => groups.has(name)),
      [],
    );
    assert.ok(knownDetectors.has('national-id') && knownDetectors.has('credit-card'));
    assert.ok(!knownDetectors.has('no-such-thing'));
  });

  it('has shapes that compile', () => {
    for (const { free = [], near = [] } of detectors) [...free, ...near].forEach(compileShape);
  });

  it('has an anchor for every shape that needs no name', () => {
    const plan = new Plan(new Set(detectors.map(({ name }) => name)));
    const begun = new Set(
      [...plan.byWord.values()]
        .flat()
        .flatMap((word) => (word.kind === 'shape' ? [word.entry.shape] : [])),
    );
    const without = plan.shapes
      .flat()
      .filter(({ shape, needsName }) => !needsName && !begun.has(shape))
      .filter(
        ({ shape }) => shape.groupMin < plan.kernel.digitsMin && shape.runMin < plan.kernel.longMin,
      )
      .map(({ detector }) => detectors[detector]?.name);
    // Found by its tilde.
    assert.deepEqual(without, ['azure-client-secret']);
  });

  it('finds every example, by its name, and by itself where a shape is enough', () => {
    for (const detector of detectors) {
      if (detector.example === '') continue;
      const detection = new Detection([detector.name]);
      const isFree =
        detector.free !== undefined ||
        (detector.names === undefined && detector.near === undefined);
      if (isFree) {
        const found = detection.value(detector.example, undefined, 'text');
        assert.deepEqual(
          found.map(({ detector: name }) => name),
          [detector.name],
          detector.name,
        );
        const text = `x ${detector.example} y`;
        const [hit] = detection.text(text);
        assert.equal(hit?.detector, detector.name, detector.name);
        if (detector.name !== 'url-password') {
          assert.equal(text.slice(hit?.start, hit?.end), detector.example, detector.name);
        }
      }
      if (detector.names === undefined || detector.example.includes('=')) continue;
      const column = columnOf(detector.names);
      const named = detection.value(detector.example, column, 'text');
      assert.equal(named[0]?.detector, detector.name, `${detector.name} in ${column}`);
    }
  });
});

/** Check digits against another's: name, country and validator of `stdnum`, a valid number. */
const others: readonly [string, string, string, string][] = [
  ['br-cpf', 'BR', 'cpf', '11144477735'],
  ['br-cnpj', 'BR', 'cnpj', '11222333000181'],
  ['es-dni', 'ES', 'dni', '12345678Z'],
  ['es-nie', 'ES', 'nie', 'X1234567L'],
  ['pt-nif', 'PT', 'nif', '501964843'],
  ['fr-nir', 'FR', 'nir', '295109912611193'],
  ['it-codice-fiscale', 'IT', 'codicefiscale', 'RCCMNL83S18D969H'],
  ['de-steuer-id', 'DE', 'idnr', '36574261809'],
  ['nl-bsn', 'NL', 'bsn', '111222333'],
  ['be-nrn', 'BE', 'nn', '85073003328'],
  ['ch-ahv', 'CH', 'ssn', '7569217076985'],
  ['ie-pps', 'IE', 'pps', '6433435F'],
  ['pl-pesel', 'PL', 'pesel', '44051401359'],
  ['ro-cnp', 'RO', 'cnp', '1630615123457'],
  ['bg-egn', 'BG', 'egn', '7523169263'],
  ['hr-oib', 'HR', 'oib', '33392005961'],
  ['no-fnr', 'NO', 'fodselsnummer', '11077941012'],
  ['fi-hetu', 'FI', 'hetu', '131052-308T'],
  ['in-aadhaar', 'IN', 'aadhaar', '234123412346'],
  ['in-gstin', 'IN', 'gstin', '27AAPFU0939F1ZV'],
  ['cn-resident-id', 'CN', 'ric', '360426199101010071'],
  ['th-tnin', 'TH', 'idnr', '1234545678781'],
  ['tr-tckn', 'TR', 'tckimlik', '17291716060'],
  ['il-id', 'IL', 'idnr', '039337423'],
  ['za-id', 'ZA', 'idnr', '7503305044089'],
  ['au-tfn', 'AU', 'tfn', '123456782'],
  ['au-abn', 'AU', 'abn', '83914571673'],
  ['mx-curp', 'MX', 'curp', 'BOXW310820HNERXN09'],
  ['cl-rut', 'CL', 'rut', '125319092'],
  ['ar-cuit', 'AR', 'cuit', '20055361682'],
  ['ca-sin', 'CA', 'sin', '123456782'],
  ['jmbg', 'RS', 'jmbg', '0101006500006'],
  ['is-kennitala', 'IS', 'kennitala', '1201743399'],
  ['ua-rnokpp', 'UA', 'rntrc', '1759013776'],
  ['ec-cedula', 'EC', 'ci', '1714307103'],
  ['uy-cedula', 'UY', 'cedula', '34704008'],
  ['do-cedula', 'DO', 'cedula', '00113918205'],
  ['co-nit', 'CO', 'nit', '2131234321'],
  ['ru-inn', 'RU', 'inn', '123456789047'],
  ['pl-nip', 'PL', 'nip', '8567346215'],
  ['es-nss', 'ES', 'nss', '281234567840'],
  ['gr-afm', 'GR', 'vat', '094259216'],
];

interface Validator {
  validate(value: string): { readonly isValid: boolean };
}
const libraries: Readonly<Record<string, Readonly<Record<string, Validator>> | undefined>> =
  stdnum.stdnum;

describe('check digits', () => {
  for (const [name, country, validator, valid] of others) {
    it(`of ${name} agree with stdnum's`, () => {
      const other = libraries[country]?.[validator];
      const detector = detectors.find((candidate) => candidate.name === name);
      assert.ok(other !== undefined && detector?.check !== undefined, `${country} ${validator}`);
      const ours = (text: string): boolean =>
        detector.check?.(
          new TextEncoder().encode(text.replace('-', '')),
          text.replace('-', '').length,
        ) === true;
      assert.ok(other.validate(valid).isValid && ours(valid), valid);
      // Every other last character: both say no, or both say yes.
      for (const last of '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ') {
        const text = valid.slice(0, -1) + last;
        if (/\d/.test(valid.at(-1) ?? '') !== /\d/.test(last)) continue;
        assert.equal(ours(text), other.validate(text).isValid, text);
      }
    });
  }
});
