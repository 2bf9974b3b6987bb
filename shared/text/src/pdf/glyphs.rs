//! Names of glyphs: what encodings of fonts are written in.

use std::sync::LazyLock;

/// Names in the order of their bytes, each with its character in hex.
const NAMES: &str = "\
    AE c6 Aacute c1 Abreve 102 Acircumflex c2 Adieresis c4 Agrave c0 Alpha 391 Amacron 100 Aogonek 104 \
    Aring c5 Atilde c3 Beta 392 Cacute 106 Ccaron 10c Ccedilla c7 Ccircumflex 108 Cdotaccent 10a Chi 3a7 \
    Dcaron 10e Dcroat 110 Delta 394 Eacute c9 Ebreve 114 Ecaron 11a Ecircumflex ca Edieresis cb \
    Edotaccent 116 Egrave c8 Emacron 112 Eng 14a Eogonek 118 Epsilon 395 Eta 397 Eth d0 Euro 20ac \
    Gamma 393 Gbreve 11e Gcedilla 122 Gcircumflex 11c Gcommaaccent 122 Gdotaccent 120 Hbar 126 \
    Hcircumflex 124 Iacute cd Ibreve 12c Icircumflex ce Idieresis cf Idotaccent 130 Igrave cc \
    Imacron 12a Iogonek 12e Iota 399 Itilde 128 Jcircumflex 134 Kappa 39a Kcedilla 136 Kcommaaccent 136 \
    Lacute 139 Lambda 39b Lcaron 13d Lcedilla 13b Lcommaaccent 13b Ldot 13f Lslash 141 Mu 39c Nacute 143 \
    Ncaron 147 Ncedilla 145 Ncommaaccent 145 Ntilde d1 Nu 39d OE 152 Oacute d3 Obreve 14e Ocircumflex d4 \
    Odieresis d6 Ograve d2 Ohungarumlaut 150 Omacron 14c Omega 3a9 Omicron 39f Oslash d8 Otilde d5 \
    Phi 3a6 Pi 3a0 Psi 3a8 Racute 154 Rcaron 158 Rcedilla 156 Rcommaaccent 156 Rho 3a1 Sacute 15a \
    Scaron 160 Scedilla 15e Scircumflex 15c Scommaaccent 218 Sigma 3a3 Tau 3a4 Tbar 166 Tcaron 164 \
    Tcedilla 162 Tcommaaccent 21a Theta 398 Thorn de Uacute da Ubreve 16c Ucircumflex db Udieresis dc \
    Ugrave d9 Uhungarumlaut 170 Umacron 16a Uogonek 172 Upsilon 3a5 Uring 16e Utilde 168 Wcircumflex 174 \
    Xi 39e Yacute dd Ycircumflex 176 Ydieresis 178 Zacute 179 Zcaron 17d Zdotaccent 17b Zeta 396 \
    aacute e1 abreve 103 acircumflex e2 acute b4 adieresis e4 ae e6 agrave e0 alpha 3b1 amacron 101 \
    ampersand 26 angle 2220 aogonek 105 approxequal 2248 aring e5 arrowboth 2194 arrowdown 2193 \
    arrowleft 2190 arrowright 2192 arrowup 2191 asciicircum 5e asciitilde 7e asterisk 2a \
    asteriskmath 2217 at 40 atilde e3 backslash 5c bar 7c beta 3b2 braceleft 7b braceright 7d \
    bracketleft 5b bracketright 5d breve 2d8 brokenbar a6 bullet 2022 cacute 107 caron 2c7 ccaron 10d \
    ccedilla e7 ccircumflex 109 cdotaccent 10b cedilla b8 cent a2 checkmark 2713 chi 3c7 circumflex 2c6 \
    club 2663 colon 3a comma 2c copyright a9 currency a4 dagger 2020 daggerdbl 2021 dcaron 10f \
    dcroat 111 degree b0 delta 3b4 diamond 2666 dieresis a8 divide f7 dollar 24 dotaccent 2d9 \
    dotlessi 131 eacute e9 ebreve 115 ecaron 11b ecircumflex ea edieresis eb edotaccent 117 egrave e8 \
    eight 38 element 2208 ellipsis 2026 emacron 113 emdash 2014 endash 2013 eng 14b eogonek 119 \
    epsilon 3b5 equal 3d equivalence 2261 eta 3b7 eth f0 exclam 21 exclamdown a1 existential 2203 \
    f_f fb00 f_f_i fb03 f_f_l fb04 f_i fb01 f_l fb02 ff fb00 ffi fb03 ffl fb04 fi fb01 five 35 fl fb02 \
    florin 192 four 34 fraction 2044 gamma 3b3 gbreve 11f gcedilla 123 gcircumflex 11d gcommaaccent 123 \
    gdotaccent 121 germandbls df gradient 2207 grave 60 greater 3e greaterequal 2265 guillemotleft ab \
    guillemotright bb guilsinglleft 2039 guilsinglright 203a hbar 127 hcircumflex 125 heart 2665 \
    hungarumlaut 2dd hyphen 2d iacute ed ibreve 12d icircumflex ee idieresis ef igrave ec imacron 12b \
    infinity 221e integral 222b intersection 2229 iogonek 12f iota 3b9 itilde 129 jcircumflex 135 \
    kappa 3ba kcedilla 137 kcommaaccent 137 kgreenlandic 138 lacute 13a lambda 3bb lcaron 13e \
    lcedilla 13c lcommaaccent 13c ldot 140 less 3c lessequal 2264 logicaland 2227 logicalnot ac \
    logicalor 2228 lozenge 25ca lslash 142 macron af middot b7 minus 2212 minute 2032 mu b5 multiply d7 \
    nacute 144 nbspace a0 ncaron 148 ncedilla 146 ncommaaccent 146 nine 39 nonbreakingspace a0 \
    notequal 2260 ntilde f1 nu 3bd numbersign 23 oacute f3 obreve 14f ocircumflex f4 odieresis f6 oe 153 \
    ogonek 2db ograve f2 ohungarumlaut 151 omacron 14d omega 3c9 omicron 3bf one 31 onehalf bd \
    onequarter bc onesuperior b9 ordfeminine aa ordmasculine ba oslash f8 otilde f5 paragraph b6 \
    parenleft 28 parenright 29 partialdiff 2202 percent 25 period 2e periodcentered b7 \
    perpendicular 22a5 perthousand 2030 phi 3c6 phi1 3d5 pi 3c0 plus 2b plusminus b1 prime 2032 \
    product 220f proportional 221d psi 3c8 question 3f questiondown bf quotedbl 22 quotedblbase 201e \
    quotedblleft 201c quotedblright 201d quoteleft 2018 quoteright 2019 quotesinglbase 201a \
    quotesingle 27 racute 155 radical 221a rcaron 159 rcedilla 157 rcommaaccent 157 registered ae \
    rho 3c1 ring 2da sacute 15b scaron 161 scedilla 15f scircumflex 15d scommaaccent 219 second 2033 \
    section a7 semicolon 3b seven 37 sfthyphen ad sigma 3c3 sigma1 3c2 similar 223c six 36 slash 2f \
    softhyphen ad space 20 spade 2660 sterling a3 summation 2211 tau 3c4 tbar 167 tcaron 165 \
    tcedilla 163 tcommaaccent 21b therefore 2234 theta 3b8 theta1 3d1 thorn fe three 33 threequarters be \
    threesuperior b3 tilde 2dc trademark 2122 two 32 twosuperior b2 uacute fa ubreve 16d ucircumflex fb \
    udieresis fc ugrave f9 uhungarumlaut 171 umacron 16b underscore 5f union 222a universal 2200 \
    uogonek 173 upsilon 3c5 uring 16f utilde 169 wcircumflex 175 xi 3be yacute fd ycircumflex 177 \
    ydieresis ff yen a5 zacute 17a zcaron 17e zdotaccent 17c zero 30 zeta 3b6";

static TABLE: LazyLock<Vec<(&str, char)>> = LazyLock::new(|| {
    let mut words = NAMES.split_ascii_whitespace();
    let mut table = Vec::new();
    while let (Some(name), Some(code)) = (words.next(), words.next()) {
        table.extend(u32::from_str_radix(code, 16).ok().and_then(char::from_u32).map(|c| (name, c)));
    }
    table
});

/// The character of a glyph's name; None for names that only the font knows.
pub(crate) fn character(name: &[u8]) -> Option<char> {
    let name = std::str::from_utf8(name).ok()?;
    // What stands behind a dot says how the glyph looks.
    let name = match name.split_once('.') {
        Some((base, _)) if !base.is_empty() => base,
        _ => name,
    };
    if name.len() == 1 {
        return name.chars().next().filter(char::is_ascii_alphabetic);
    }
    if let Ok(at) = TABLE.binary_search_by(|(known, _)| (*known).cmp(name)) {
        return TABLE.get(at).map(|(_, c)| *c);
    }
    let hex = |digits: &str| {
        let all = (4..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        all.then(|| u32::from_str_radix(digits, 16).ok()).flatten().and_then(char::from_u32)
    };
    if let Some(found) = name.strip_prefix("uni").and_then(|d| hex(d.get(..4)?)) {
        return Some(found);
    }
    if let Some(found) = name.strip_prefix('u').and_then(hex) {
        return Some(found);
    }
    cyrillic(name.strip_prefix("afii")?.parse().ok()?)
}

/// Adobe's numbers of Cyrillic letters.
fn cyrillic(number: u32) -> Option<char> {
    char::from_u32(match number {
        10_017..=10_022 => 0x410 + number - 10_017,
        10_023 => 0x401,
        10_024..=10_049 => 0x416 + number - 10_024,
        10_065..=10_070 => 0x430 + number - 10_065,
        10_071 => 0x451,
        10_072..=10_097 => 0x436 + number - 10_072,
        61_352 => 0x2116,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(TABLE.is_sorted());
        for (name, want) in [
            ("A", Some('A')),
            ("eacute", Some('é')),
            ("Ccaron", Some('Č')),
            ("fi", Some('ﬁ')),
            ("one.oldstyle", Some('1')),
            ("uni20AC", Some('€')),
            ("u1F600", Some('😀')),
            ("afii10017", Some('А')),
            ("afii10097", Some('я')),
            ("alpha", Some('α')),
            ("g12", None),
            (".notdef", None),
        ] {
            assert_eq!(character(name.as_bytes()), want, "{name}");
        }
    }
}
