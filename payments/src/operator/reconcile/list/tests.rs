//! Lists that are read, and lists that are refused.

use super::*;

fn format(columns: &str) -> ListFormat {
    ListFormat::new(Columns::parse(columns).unwrap(), Currency::MNT)
}

fn amounts(list: &DayList) -> Vec<String> {
    list.lines.iter().map(|line| line.amount.to_string()).collect()
}

#[test]
fn commas_semicolons_tabs_quotes_and_a_mark_are_read() {
    for text in [
        "ref,amount\na1,1500\nb2,20.50\n",
        "\u{feff}Ref;Amount\r\na1;1500\r\n\r\nb2;20.50\r\n",
        "x\tamount\tREF\n\"y, z\"\t\"1500\"\t a1 \n\"two\nlines\"\t20.5\t\"b2\"",
        "\"ref\",\"amount\"\n\"a1\",\"1500.00\"\n,\n\"b2\",\"20.50\"",
    ] {
        let list = read_list(text.as_bytes(), &format("")).unwrap();
        assert_eq!(amounts(&list), ["1500.00 MNT", "20.50 MNT"], "{text}");
        let references: Vec<&str> = list.lines.iter().map(|line| line.reference.as_str()).collect();
        assert_eq!(references, ["a1", "b2"]);
        assert!(list.lines.iter().all(|line| line.is_paid && !line.is_refund && line.refunded.is_none()));
        assert!(!list.has_refunds);
    }
}

#[test]
fn thousands_are_read_only_where_they_belong_and_only_if_told() {
    let mut grouped = format("");
    let read = |text: &str, format: &ListFormat| {
        let list = read_list(format!("ref;amount\na;{text}").as_bytes(), format);
        list.map(|list| list.lines[0].amount.to_string()).map_err(|error| error.to_string())
    };
    let refused = read("1,500.00", &grouped).unwrap_err();
    assert!(
        refused.starts_with("line 2, column `amount`: ") && refused.contains("must be told"),
        "{refused}"
    );
    grouped.thousands = Some(',');
    assert_eq!(read("1,500.00", &grouped).unwrap(), "1500.00 MNT");
    assert_eq!(read("12,345,678.9", &grouped).unwrap(), "12345678.90 MNT");
    assert_eq!(read("1500", &grouped).unwrap(), "1500.00 MNT");
    for wrong in ["1,50", "1,5000", ",500", "1500,000", "1,,500", "-5", "1e3", "", "1.2.3", "5,", ".5", "5."]
    {
        assert!(read(wrong, &grouped).is_err(), "{wrong}");
    }
    (grouped.thousands, grouped.decimal) = (Some('.'), ',');
    assert_eq!(read("1.500,25", &grouped).unwrap(), "1500.25 MNT");
    (grouped.thousands, grouped.decimal) = (Some(' '), ',');
    assert_eq!(read("1\u{a0}500,25", &grouped).unwrap(), "1500.25 MNT");
}

#[test]
fn status_words_are_told_and_never_guessed() {
    let mut told = format("status=State");
    let text = "ref,amount,state\na,1,PAID\nb,2,Declined\n";
    let list = read_list(text.as_bytes(), &told).unwrap();
    assert_eq!(list.lines.iter().map(|line| line.is_paid).collect::<Vec<_>>(), [true, false]);
    let text = "ref,amount,state\na,1,paid\nb,2,REFUND\n";
    let error = read_list(text.as_bytes(), &told).unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(3), Some("State")));
    told.words.refund = vec!["refund".into()];
    let list = read_list(text.as_bytes(), &told).unwrap();
    assert!(list.has_refunds && list.lines[1].is_refund && !list.lines[1].is_paid);
    told.words.unpaid.push("paid".into());
    assert!(read_list(text.as_bytes(), &told).is_err());
}

#[test]
fn currencies_and_refunds_have_their_columns() {
    let format = format("ref=id,amount=sum,refunded=back,currency=cur");
    let list = read_list(b"id,sum,back,cur\na,100000,,VND\nb,10.50,5,usd\n", &format).unwrap();
    assert_eq!(amounts(&list), ["100000 VND", "10.50 USD"]);
    let refunded: Vec<String> = list.lines.iter().map(|line| line.refunded.unwrap().to_string()).collect();
    assert_eq!(refunded, ["0 VND", "5.00 USD"]);
    let error = read_list(b"id,sum,back,cur\na,1.50,,VND\n", &format).unwrap_err().to_string();
    assert_eq!(error, "line 2, column `sum`: it has more decimals than VND has");
    assert!(read_list(b"id,sum,back,cur\na,1,,XYZ\n", &format).is_err());
    let mut format = format;
    let unclear = b"id;sum;back;cur\na;100.000;;VND\n";
    let error = read_list(unclear, &format).unwrap_err().to_string();
    assert!(error.starts_with("line 2, column `sum`: it can mean 100 or 100000; "), "{error}");
    (format.thousands, format.decimal) = (Some('.'), ',');
    assert_eq!(amounts(&read_list(unclear, &format).unwrap()), ["100000 VND"]);
}

#[test]
fn a_bad_line_names_itself_and_never_its_value() {
    for (text, line, column) in [
        ("ref,amount\na,1\n,2\n", 3, Some("ref")),
        ("ref,amount\na,planted\n", 2, Some("amount")),
        ("ref,amount\na,1,planted\n", 2, None),
        ("ref,amount\na,1\nplanted\n", 3, None),
        ("planted,amount\na,1\n", 1, None),
        ("ref,amount,ref\na,1,b\n", 1, None),
        ("", 1, None),
    ] {
        let error = read_list(text.as_bytes(), &format("")).unwrap_err();
        assert_eq!((error.line(), error.column()), (Some(line), column), "{text}: {error}");
        assert!(line == 1 || !error.to_string().contains("planted"), "{error}");
    }
    for end in ["\n", "\r", "\r\n", "\n\n", "\r\n\r\n"] {
        let text = ["\u{feff}ref,amount,x", "a,\"1\",", "b,2,\"b\nb\"", "c,3,", "d,4"].join(end);
        let list = read_list(text.rsplit_once(end).unwrap().0.as_bytes(), &format("")).unwrap();
        let step = end.matches('\n').count().max(end.matches('\r').count()) as u64;
        let lines: Vec<u64> = list.lines.iter().map(|line| line.line).collect();
        assert_eq!(lines, [1 + step, 1 + 2 * step, 2 + 3 * step], "{end:?}");
        assert_eq!(read_list(text.as_bytes(), &format("")).unwrap_err().line(), Some(2 + 4 * step));
    }
    for wrong in ["ref", "ref=", "price=a", "ref=a,ref=b"] {
        assert!(Columns::parse(wrong).is_err(), "{wrong}");
    }
}

/// The last column of one line opens a quote, and what follows would be part of it.
#[test]
fn no_line_is_swallowed_by_a_quote() {
    let three = "ref,amount,what\n";
    for (lines, line, why) in [
        ("a,1,\"oops\nb,2,paid\nc,3,x\n", 2, "never closes"),
        ("a,1,\"oops\nb,2,\"paid\"\n", 3, "which opened in line 2, closes in the middle"),
        ("a,1,x\nb,2,\"oops\nc,3,paid\nd,4,\"\n", 3, "goes on over line 4"),
        ("a,1,\"oops\nb,-2,\"\n", 2, "goes on over line 3"),
        ("a,1,\"oops\rb,2,\"\"\rc,3,\"\r", 2, "goes on over line 3"),
        ("a,1,\"x\"y\n", 2, "closes in the middle"),
    ] {
        let error = read_list([three, lines].concat().as_bytes(), &format("")).unwrap_err();
        assert_eq!(error.line(), Some(line), "{lines:?}: {error}");
        assert!(error.to_string().contains(why), "{lines:?}: {error}");
    }
    // In the middle of a line, and in the headings.
    let error = read_list(b"ref,what,amount\na,\"x,1\nb,\",2\n", &format("")).unwrap_err().to_string();
    assert!(error.contains("goes on over line 3"), "{error}");
    let error = read_list(b"ref,amount,\"what\na,1,x\n", &format("")).unwrap_err().to_string();
    assert!(error.starts_with("line 1: ") && error.contains("never closes"), "{error}");
    // A value of several lines that are no lines of the list is one.
    for value in
        ["two\nlines", "Street 5, Flat 3\nin the yard, on the left, blue", "1,500\n2", "a \"\"b\"\"\nc"]
    {
        let text = format!("{three}a,1,\"{value}\"\nb,2,x\n");
        assert_eq!(amounts(&read_list(text.as_bytes(), &format("")).unwrap()).len(), 2, "{value}");
    }
}

#[test]
fn no_value_fakes_a_line_of_the_report() {
    for value in
        ["a\nline 9, x: paid", "a\u{1b}[2J", "a\u{2028}b", "a\u{202e}b", "a\u{200b}b", "a\u{85}b", "a\rb"]
    {
        let text = format!("ref,amount\n\"{value}\",1\n");
        let error = read_list(text.as_bytes(), &format("")).unwrap_err();
        assert_eq!((error.line(), error.column()), (Some(2), Some("ref")), "{value:?}");
    }
    let error = read_list(b"\"a\nline 9: fine\",x\n1,2\n", &format("")).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_heading_is_one_however_its_accents_are_written() {
    // "Số tiền" and "Мөнгөн дүн, төлсөн ба үгүй" with й: in one character, and in two.
    for (told, written) in [
        ("S\u{1ed1} ti\u{1ec1}n", "So\u{302}\u{301} tie\u{302}\u{300}n"),
        ("So\u{302}\u{301} tie\u{302}\u{300}n", "S\u{1ed0} TI\u{1ec0}N"),
        ("\u{4af}\u{43d}\u{438}\u{439}", "\u{4af}\u{43d}\u{438}\u{438}\u{306}"),
        ("Order sum", "Order\u{a0}  sum"),
    ] {
        let mut format = format(&format!("amount={told},status={told}s"));
        format.words.paid = vec![told.to_owned()];
        let list = read_list(format!("ref,{written},{written}s\na,1,{written}\n").as_bytes(), &format);
        assert_eq!(amounts(&list.unwrap()), ["1.00 MNT"], "{told}");
    }
    let error = read_list("ref,amount,\u{439},\u{438}\u{306}\n".as_bytes(), &format("status=\u{439}"));
    assert!(error.unwrap_err().to_string().contains("stands twice"));
}

#[test]
fn what_is_no_utf_8_is_called_that() {
    let windows_1251 = b"\xd1\xf3\xec\xe0,ref,amount\nx,a,1\n";
    for (bytes, line, why) in [
        (windows_1251.as_slice(), Some(1), "not UTF-8"),
        (b"ref,amount,what\ra,1,x\rb,2,\xe9\r", Some(3), "not UTF-8"),
        (b"ref,amount,what\r\na,1,x\r\n\xff,2,y\r\n", Some(3), "not UTF-8"),
        (b"\xff\xfea\0", None, "UTF-16"),
        (b"r\0e\0f\0", None, "UTF-16"),
        (b"PK\x03\x04\x14\0", None, "spreadsheet"),
    ] {
        let error = read_list(bytes, &format("")).unwrap_err();
        assert_eq!((error.line(), error.column()), (line, None), "{error}");
        assert!(error.to_string().contains(why) && error.to_string().contains("save it as CSV in UTF-8"));
    }
}

#[test]
fn lines_above_the_headings_and_totals_below_are_left_out_if_told() {
    let text = "Settlement \"of the day\nby: a, b\n\nref,amount,what\na,1,x\nTOTAL,,1.00\nTotal fee,5\n";
    let plain = read_list(text.as_bytes(), &format("")).unwrap_err();
    assert!(plain.to_string().contains("If lines stand before the headings, say how many"), "{plain}");
    let mut told = format("");
    told.skip = 3;
    assert_eq!(read_list(text.as_bytes(), &told).unwrap_err().line(), Some(6), "totals were not told");
    told.totals = vec!["total".into(), "Total Fee".into()];
    let list = read_list(text.as_bytes(), &told).unwrap();
    assert_eq!((amounts(&list), list.lines[0].line), (vec!["1.00 MNT".to_owned()], 5));
    // A payment below a total is not left out with it.
    let more = format!("{text}b,2,y\n");
    assert_eq!(read_list(more.as_bytes(), &told).unwrap_err().line(), Some(8));
    told.skip = 100;
    assert!(read_list(text.as_bytes(), &told).unwrap_err().to_string().contains("within the 100 lines"));
}

#[test]
fn refunds_may_have_a_minus_and_nothing_else_may() {
    let mut told = format("status=state");
    told.words.refund = vec!["refund".into()];
    let read = |lines: &str| {
        let list = read_list(format!("ref,amount,state\n{lines}").as_bytes(), &told);
        list.map(|list| amounts(&list)).map_err(|error| error.to_string())
    };
    for minus in ["-", "\u{2212}", "- "] {
        let lines = format!("a,100,paid\na,{minus}30,refund\na,{minus}20.50,REFUND\n");
        assert_eq!(read(&lines).unwrap(), ["100.00 MNT", "30.00 MNT", "20.50 MNT"]);
    }
    for wrong in ["a,-100,paid", "a,-1,pending", "a,--1,refund", "a,+1,refund", "a,-,refund", "a,(1),refund"]
    {
        assert!(read(wrong).unwrap_err().starts_with("line 2, column `amount`: "), "{wrong}");
    }
    assert!(read("a,-100,paid").unwrap_err().contains("say which words"));
    // With and without in one list: one of the two may be a refund that was taken back.
    let mixed = read("a,-30,refund\na,30,refund\n").unwrap_err();
    assert!(mixed.starts_with("line 3, column `amount`: ") && mixed.contains("line 2"), "{mixed}");
    let list = read_list(b"ref,amount,back\na,100,-30\n", &format("refunded=back")).unwrap();
    assert_eq!(list.lines[0].refunded, Some(Money::from_minor(3000, Currency::MNT)));
}

proptest::proptest! {
    /// Whatever the file holds, it is read or refused, and amounts come out as they were written.
    #[test]
    fn any_file_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = read_list(&bytes, &format("status=s"));
        let _ = read_list(&[b"ref,amount,s\n".as_slice(), &bytes].concat(), &format("status=s"));
    }

    #[test]
    fn amounts_come_out_as_they_were_written(minor in 0..i64::MAX / 2, grouped in proptest::bool::ANY) {
        let amount = Money::from_minor(minor, Currency::MNT);
        let mut format = format("");
        let mut text = amount.to_decimal_text();
        if grouped {
            format.thousands = Some(',');
            let (whole, decimals) = text.split_once('.').unwrap();
            let groups: Vec<&str> =
                whole.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
            text = format!("\"{}.{decimals}\"", groups.join(","));
        }
        let list = read_list(format!("ref,amount\na,{text}").as_bytes(), &format).unwrap();
        proptest::prop_assert_eq!(list.lines[0].amount, amount);
    }
}
