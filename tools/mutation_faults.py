"""The faults that mutation_exam.py makes: which there are in a source file, and how each is written, alone or behind a switch.

A fault replaces one region of the file, always a whole expression: what stands between brackets, commas, an assignment, `return`
and the end of a statement. So one and the same fault can be compiled for good, or as `(on(17) ? changed : original)`.
"""
import re

# (kind, pattern, replacement): each match is a fault of its own.
FAULTS = [
    ('comparison', r' < ', ' <= '),
    ('comparison', r' <= ', ' < '),
    ('comparison', r' > ', ' >= '),
    ('comparison', r' >= ', ' > '),
    ('equality', r' == ', ' != '),
    ('equality', r' != ', ' == '),
    ('logic', r'(?<=\s)&&(?=\s)', '||'),
    ('logic', r'(?<=\s)\|\|(?=\s)', '&&'),
    ('sign', r' \+ ', ' - '),
    ('sign', r' - ', ' + '),
    ('step', r' \+= ', ' -= '),
    ('step', r' -= ', ' += '),
    ('verdict', r'(?<=\breturn )true(?=;)', 'false'),
    ('verdict', r'(?<=\breturn )false(?=;)', 'true'),
    ('constant', r'(?<![\w.\'])([1-9]\d*)(?=[;,)} ])', lambda match: str(int(match[1]) + 1)),
    ('extreme', r'std::min\b', 'std::max'),
    ('extreme', r'std::max\b', 'std::min'),
    ('narrowing', r'static_cast<std::uint32_t>', 'static_cast<std::uint32_t>(static_cast<std::uint8_t>)'),
    ('narrowing', r'static_cast<std::uint16_t>', 'static_cast<std::uint16_t>(static_cast<std::uint8_t>)'),
    ('statement left out', r'(?<=[;{}\n]) *(?<=  )[\w.>()\[\]-]+ = [^;{}]*(?=;)', ''),
]
# Lines in which a fault means nothing: what only the compiler reads.
SKIPPED = re.compile(r'\s*(#|using |namespace |template|case |default:)')
# Calls of which nothing is meant to follow.
SAID_ONLY = re.compile(r'\b(static_assert|POLLRTC_LOG|POLLRTC_ASSERT)\(')
ENDS_REGION = re.compile(r'[;,?]|(?<!:):(?!:)|(?<![=!<>+*/%&|^-])=(?!=)|[-+*/%&|^]=|\breturn\b|\belse\b')


def blank(match):
    return re.sub(r'[^\n]', ' ', match[0])


def without_comments(text):
    """The text with spaces for its comments, character for character."""
    return re.sub(r'//[^\n]*|("(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\')', lambda m: m[0] if m[1] else blank(m), text)


def closing(mask, opening):
    """Where the bracket at `opening` is closed."""
    depth = 0
    for at in range(opening, len(mask)):
        depth += (mask[at] in '([{') - (mask[at] in ')]}')
        if depth == 0:
            return at
    return len(mask)


def masked(code):
    """Spaces for the texts too, for lines of no meaning, and for what is said only."""
    mask = re.sub(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)\'', blank, code)
    mask = '\n'.join(' ' * len(line) if SKIPPED.match(line) else line for line in mask.split('\n'))
    for match in list(SAID_ONLY.finditer(mask)):
        end = closing(mask, match.end() - 1) + 1
        mask = mask[:match.start()] + re.sub(r'[^\n]', ' ', mask[match.start():end]) + mask[end:]
    return mask


def region(mask, start, end, joins):
    """The whole expression around mask[start:end]; over && and || when it `joins`."""
    depth, at = 0, start
    while at > 0:
        sign = mask[at - 1]
        if sign in ')]}':
            if depth == 0 and sign == '}':
                break
            if depth == 0 and sign == ')' and re.search(r'\b(if|while|for) $', mask[:opening(mask, at - 1)]):
                break
            depth += 1
        elif sign in '([{':
            if depth == 0:
                break
            depth -= 1
        elif depth == 0:
            found = [m for m in ENDS_REGION.finditer(mask, max(0, at - 6), min(len(mask), at + 1)) if m.end() == at]
            if found or (not joins and mask[at - 2:at] in ('&&', '||')):
                break
        at -= 1
    first = at
    depth, at = 0, end
    while at < len(mask):
        sign = mask[at]
        if sign in '([{':
            depth += 1
        elif sign in ')]}':
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and (sign in ';,?' or (sign == ':' and ':' not in (mask[at - 1], mask[at + 1])) or
                             (not joins and mask[at:at + 2] in ('&&', '||'))):
            break
        at += 1
    while mask[first] in ' \n':
        first += 1
    return first, at


def opening(mask, closed):
    """Where the bracket was opened that is closed there."""
    depth = 0
    for at in range(closed, -1, -1):
        depth += (mask[at] in ')]}') - (mask[at] in '([{')
        if depth == 0:
            return at
    return 0


def conditions(mask):
    """(start, end) of the conditions of `if` that declare nothing."""
    for match in re.finditer(r'\bif \(', mask):
        end = closing(mask, match.end() - 1)
        condition = mask[match.end():end]
        if ';' not in condition and not re.search(r'\w [*&]?\w+ = ', condition):
            yield match.end(), end


def faults_of(text):
    """Every fault of a source text: kind, where, what to put there, and the type of both sides where it must be said. `constant`:
    the compiler works it out, so that no switch could turn it."""
    code = without_comments(text)
    mask = masked(code)

    def fault(kind, at, start, end, changed, cast=''):
        before = mask[mask.rfind(';', 0, start) + 1:start]
        line = text.count('\n', 0, at) + 1
        was = ' '.join(text[text.rfind('\n', 0, start) + 1:text.find('\n', end)].split())
        becomes = ' '.join((text[text.rfind('\n', 0, start) + 1:start] + changed + text[end:text.find('\n', end)]).split())
        return {'kind': kind, 'constant': bool(re.search(r'\bconstexpr [^()]*[={]', before)), 'line': line, 'start': start, 'end': end, 'changed': ' '.join(changed.split('\n')), 'cast': cast,
                'was': was, 'is': becomes}

    for start, end in conditions(mask):
        yield fault('negation', start, start, end, f'!({code[start:end]})', 'bool')
        if re.match(r'\)\s*return\b', mask[end:]):
            yield fault('check left out', start, start, end, 'false', 'bool')
    for kind, pattern, replacement in FAULTS:
        for match in re.finditer(pattern, mask):
            if kind == 'statement left out':
                start = match.start() + len(match[0]) - len(match[0].lstrip())
                yield fault(kind, start, start, match.end(), 'static_cast<void>(0)', 'void')
                continue
            if kind in ('step', 'narrowing', 'extreme'):
                start, end = region(mask, match.start(), match.end(), False)
                if kind == 'step':  # the left side belongs to it
                    start, _ = region(mask, match.start(), match.start(), False)
                    _, end = region(mask, match.end(), match.end(), False)
            else:
                start, end = region(mask, match.start(), match.end(), kind == 'logic')
            if kind == 'narrowing':
                close = closing(mask, match.end())
                changed = (code[start:match.start()] + match[0] + '(static_cast<std::uint8_t>' +
                           code[match.end():close + 1] + ')' + code[close + 1:end])
            else:
                new = replacement(match) if callable(replacement) else replacement
                changed = code[start:match.start()] + new + code[match.end():end]
            yield fault(kind, match.start(), start, end, changed)


def alone(text, fault):
    return text[:fault['start']] + fault['changed'] + text[fault['end']:]


def switched(text, faults):
    """The text with each of these faults, whose regions are apart, behind a switch of its own. Every line keeps its number."""
    for fault in sorted(faults, key=lambda f: -f['start']):
        sides = (fault['changed'], text[fault['start']:fault['end']])
        changed, original = (f"static_cast<{fault['cast']}>({side})" if fault['cast'] else f'({side})' for side in sides)
        text = f"{text[:fault['start']]}(::mutation::on({fault['id']}) ? {changed} : {original}){text[fault['end']:]}"
    return text


def quiet(text, name, header):
    """Without warnings, as if it were a system's header, and with its lines where they were."""
    return f'#include "{header}"\n# 1 "{name}" 3\n{text}'
