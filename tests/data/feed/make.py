#!/usr/bin/env python3
"""Writes the corpus: small files as HR, Excel and enemies really send them.

tests/data/feed/make.py            writes every NAME.csv and NAME.toml beside this script
tests/data/feed/make.py --check    says which differ

A NAME.toml holds settings of the feed that reads NAME.csv. What a file must give stands in
expected/NAME.snap, written by the test `feed::corpus` and read by a person. Files that the fuzzer
found are in found/ and only must not break anything.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
HEAD = "employee_id,start_date,zone,display_name"
ADA = "1,2027-03-01,Europe/Berlin,Ada Lovelace"
BEN = "2,2027-03-02,Europe/London,Ben"
FILES = {}


def file(name, *parts, encoding="utf-8", settings=""):
    """Texts are encoded, bytes stay as they are."""
    FILES[f"{name}.csv"] = b"".join(p if isinstance(p, bytes) else p.encode(encoding) for p in parts)
    if settings:
        FILES[f"{name}.toml"] = settings.strip().encode() + b"\n"


def lines(*rows, end="\n"):
    return end.join(rows) + end


# Exports of HR products -------------------------------------------------------------------------
file("product-microsoft", lines(
    "WorkerID,WorkerStatus,WorkerType,UserID,FirstName,LastName,FullName,GenderPronoun,ManagerID,HireDate,OnLeave,Department,Division,CostCenter,Company,Location,JobTitle,StreetAddress,City,CountryCode,OfficePhone,Custom01,Custom02,ZipCode",
    "1222,Active,Contractor,EMP1222,Talya,Fleeta,Talya Fleeta,HE/HIM,1684,2027-03-01,True,Sales,Electronics,CC3035,Woodgrove,Europe,Sales Executive,303 Mansion Ct,Chicago,UK,259-915-1098,T1001,BTK39,85434",
    "1513,Inactive,Employee,EMP1513,Ginnie,Fadiman,Ginnie Fadiman,HE/HIM,1959,2027-03-01,False,Product Engineering,Food,CC3035,Woodgrove,Asia Pacific,Project Manager,101 Woodgrove Way,Frankfurt,UK,259-915-1098,Y1083,,79985",
    "1514,Active,Employee,EMP1514,Ann,Old,Ann Old,SHE/HER,1959,2010-07-10,False,Sales,Food,CC3035,Woodgrove,Europe,Clerk,1 Way,Paris,FR,259,Y1083,,79985"))
file("product-workday", lines(
    '"Worker","Employee ID","Legal Name - First Name","Legal Name - Last Name","Preferred Name - First Name","Hire Date","Original Hire Date","Continuous Service Date","Location","Location Address - Country","Manager Employee ID","Worker Status"',
    '"Grace Hopper (100042)","100042","Grace Brewster","Hopper","Grace","2027-03-01-08:00","2027-03-01-08:00","2027-03-01-08:00","Berlin Office","Germany","100007","Active"',
    '"Alan Turing (100043)","100043","Alan","Turing","Alan","2027-03-01","","","London","United Kingdom","100007","Pre-Hire"',
    '"On Leave (100044)","100044","On","Leave","","2014-03-01","","","London","United Kingdom","100007","On Leave"', end="\r\n"))
file("product-successfactors", b"\xef\xbb\xbf", lines(
    "STATUS,USERID,USERNAME,FIRSTNAME,LASTNAME,MI,GENDER,EMAIL,MANAGER,HR,DEPARTMENT,JOBCODE,DIVISION,LOCATION,TIMEZONE,HIREDATE,EMPID,TITLE,COUNTRY,DEFAULT_LOCALE",
    "STATUS,USERID,Username,First Name,Last Name,Middle Name,Gender,Email,Manager,Human Resource,Department,Job Code,Division,Location,Timezone,Hire Date,Employee Id,Title,Country,Default Locale",
    'active,sfu1,ada.lovelace@contoso.example,Ada,Lovelace,,F,ada@home.example,sfu7,NO_HR,"Research, pure",J1,D,Berlin,Europe/Berlin,03/01/2027,00042,Analyst,DEU,en_US',
    "inactive,sfu2,ben@contoso.example,Ben,Bell,,M,,NO_MANAGER,NO_HR,Sales,J2,D,New York,US/Eastern,03/02/2027,00043,Rep,USA,en_US",
    "active,sfu3,cy@contoso.example,Cy,Dee,,M,,NO_MANAGER,NO_HR,Sales,J2,D,Sofia,EET,03/02/2027,00044,Rep,BGR,bg_BG", end="\r\n"),
    settings='date_format = "%m/%d/%Y"')
file("product-bamboohr", lines(
    '"EEID","Employee #","Last Name","First Name","Preferred Name","Display Name","Hire Date","Original Hire Date","Location","Country","Reporting to","Status","Employment Status","Work Email"',
    '"127","1042","Lovelace","Augusta","Ada","Ada Lovelace","2027-03-01","","Berlin","Germany","Mia Manager","Active","Full-Time","ada@contoso.example"',
    '"128","1043","Bell","Ben","","Ben Bell","2027-03-15","","Oslo","Norway","Mia Manager","Active","Contractor",""',
    '"129","1044","Gone","Gus","","Gus Gone","2027-03-15","","Oslo","Norway","Mia Manager","Inactive","Terminated",""'))
file("product-personio-de", b"\xef\xbb\xbf", lines(
    "Personalnummer;Vorname;Nachname;E-Mail;Status;Anstelldatum;Vertragsende;Vorgesetzter;Standort;Abteilung;Land",
    "1001;Zoë;Müller;zoe@contoso.example;Onboarding;01.03.2027;;Mia Manager;München;Einkauf;Deutschland",
    '1002;Jörg;Weiß;;Onboarding;15.03.2027;31.12.2027;"Manager, Mia";Wien;IT;Österreich',
    "1003;Alt;Ältere;;Aktiv;01.04.2012;;Mia Manager;Zürich;IT;Schweiz",
    "1004;Nicht;Da;;Inaktiv;01.03.2027;;Mia Manager;Zürich;IT;Schweiz", end="\r\n"),
    settings='date_format = "%d.%m.%Y"')
file("product-personio-en", lines(
    "Employee ID,First name,Last name,Email,Status,Hire date,Contract end date,Supervisor,Office,Department",
    "2001,Zoë,Müller,zoe@contoso.example,Onboarding,2027-03-01,,Mia Manager,Munich,Purchasing",
    "2002,Out,Law,,Leave,2027-03-01,,Mia Manager,Nowhere,Purchasing"),
    settings='zones = { "Munich" = "Europe/Berlin" }')
file("product-ukg-pro", lines(
    "Employee Number|First Name|Last Name|Preferred First Name|Last Hire Date|Original Hire Date|Supervisor Employee Number|Work Location|Country|Employment Status|Employee Status",
    "000123|Robert|Tables|Bob|3/1/2027 12:00:00 AM|3/1/2027 12:00:00 AM|000007|CHI|USA|Active|A",
    "000124|Re|Hired||3/2/2027 12:00:00 AM|1/1/2001 12:00:00 AM|000007|CHI|USA|Active|A",
    "000125|Le|Aver||3/2/2027 12:00:00 AM|1/1/2001 12:00:00 AM|000007|CHI|USA|Terminated|T"),
    settings='date_format = "%m/%d/%Y"\nzones = { "chi" = "America/Chicago" }')
file("product-ukg-ready", lines(
    "Employee Id\tAccount Id\tUsername\tFirst Name\tLast Name\tDate Hired\tManager 1 Employee Id\tDefault Location\tEmployee Status\tPrimary Language",
    "77\t9001\trtables\tRobert\tTables\t2027-03-01\t7\tChicago\tActive\tEnglish"),
    settings='zones = { "Chicago" = "America/Chicago" }')
file("product-home-made-de", lines("Personalnr;Name;Vorname;Eintritt;Stadt;Sprache",
                                   "1;Lovelace;Ada;2027-03-01;Berlin;de", "2;Bell;Ben;2027-03-01;Graz;de"),
     settings='zones = { "Berlin" = "Europe/Berlin" }')

# Delimiters --------------------------------------------------------------------------------------
SEMI = [HEAD.replace(",", ";"), ADA.replace(",", ";"), BEN.replace(",", ";")]
file("delimiter-semicolon", lines(*SEMI))
file("delimiter-tab", lines(*[row.replace(";", "\t") for row in SEMI]))
file("delimiter-bar", lines(*[row.replace(";", "|") for row in SEMI]))
file("delimiter-sep-line", "sep=;\r\n", lines(*SEMI, "3;never;Europe/Berlin;Cy", end="\r\n"))
file("delimiter-sep-line-quoted-bom", b"\xef\xbb\xbf", '"sep=|"\n', lines(*[row.replace(";", "|") for row in SEMI]))
file("delimiter-sep-colon", "sep=:\n", lines(*[row.replace(";", ":") for row in SEMI]))
file("delimiter-colon", lines(*[row.replace(",", ":") for row in [HEAD, ADA]]))
file("delimiter-quoted-in-header", lines(
    '"Name, first; or |other";"Remarks (a,b,c,d,e)";employee_id;start_date;zone', "x;y;1;2027-03-01;Europe/Berlin"))
file("delimiter-in-fields", lines(HEAD + ",note", '1,2027-03-01,Europe/Berlin,"Lovelace, Ada","a;b;c;d|e\tf"'))
file("delimiter-only-in-settings", lines("nummer;tag;wo;a,b,c", "1;2027-03-01;Europe/Berlin;x"),
     settings='columns = { employee_id = "nummer", start_date = "tag", zone = "wo" }')

# Encodings ---------------------------------------------------------------------------------------
NAMES = lines(HEAD, "1,2027-03-01,Europe/Berlin,Zoë Łukasz 李 🦀", "2,2027-03-02,Europe/Berlin,Ångström")
file("encoding-utf8-bom", b"\xef\xbb\xbf", NAMES)
file("encoding-utf16le-bom-tab", b"\xff\xfe", NAMES.replace(",", "\t").replace("\n", "\r\n"), encoding="utf-16-le")
file("encoding-utf16be-bom", b"\xfe\xff", NAMES, encoding="utf-16-be")
file("encoding-utf16le-no-bom", NAMES, encoding="utf-16-le")
file("encoding-utf16be-no-bom", NAMES, encoding="utf-16-be")
file("encoding-utf16-odd-end", b"\xff\xfe", NAMES, b"\x00", encoding="utf-16-le")
file("encoding-utf16-lone-surrogate", b"\xff\xfe", lines(HEAD, ADA), b"2\x00\x00\xd8,\x00", encoding="utf-16-le")
file("encoding-utf32", b"\xff\xfe\x00\x00", NAMES, encoding="utf-32-le")
file("encoding-latin1-not-named", lines(HEAD, ADA, "2,2027-03-02,Europe/Berlin,Zoë"), encoding="latin-1")
file("encoding-windows-1252", lines(HEAD, "1,2027-03-01,Europe/Berlin,Zoë “Z” O’Neill €"), encoding="cp1252",
     settings='encoding = "windows-1252"')
file("encoding-windows-1250", lines(HEAD, "1,2027-03-01,Europe/Warsaw,Łukasz Żółć"), encoding="cp1250",
     settings='encoding = "cp1250"')
file("encoding-shift-jis", lines(HEAD, "1,2027-03-01,Asia/Tokyo,表ソ 太郎"), encoding="shift_jis",
     settings='encoding = "Shift_JIS"')
file("encoding-named-but-utf8", NAMES, settings='encoding = "windows-1252"')
file("encoding-named-but-bom", b"\xff\xfe", NAMES, encoding="utf-16-le", settings='encoding = "windows-1252"')
file("encoding-iso-2022-jp", lines(HEAD, "1,2027-03-01,Asia/Tokyo,山田"), encoding="iso2022_jp",
     settings='encoding = "iso-2022-jp"')
file("encoding-malformed-as-named", lines(HEAD, ADA), b"2,2027-03-02,Europe/London,\xe3\x81\n", BEN,
     settings='encoding = "euc-jp"')
file("encoding-hole-in-windows-1252", lines(HEAD, ADA), b"2,2027-03-02,Europe/London,Zo\x81\xeb\n",
     settings='encoding = "windows-1252"')
file("encoding-bom-twice", b"\xef\xbb\xbf\xef\xbb\xbf", lines(HEAD, ADA))
file("encoding-overlong", lines(HEAD, ADA), b"2,2027-03-02,Europe/London,\xc0\x80\n")

# Lines and quotes --------------------------------------------------------------------------------
BAD = "9,never,Europe/Berlin,Nobody"
TWO = '1,2027-03-01,Europe/Berlin,Ada,"two{0}lines"'
for name, end in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")]:
    file(f"lines-{name}", lines(HEAD + ",note", TWO.format(end), "", BAD + ",", end=end))
file("lines-mixed", f'{HEAD},note\r\n1,2027-03-01,Europe/Berlin,Ada,"a\nb\r\nc\rd"\n\r{BAD},\r\r\n{BAD.replace("9", "8")},')
file("lines-unended", f"{HEAD}\n{ADA}")
file("lines-blank-and-empty-rows", lines("", "   ", HEAD, "", ",,,", " , , , ", ADA, ",,,", ""))
file("lines-unicode-separators", lines(HEAD, "1,2027-03-01,Europe/Berlin,A\u0085B", "2,2027-03-01,Europe/Berlin,A\u2028B", BAD))
file("quotes-doubled", lines(HEAD, '1,2027-03-01,Europe/Berlin,"Ben ""B"" Bell"', '"2","2027-03-01","Europe/Berlin",""""'))
file("quotes-inside-plain", lines(HEAD + ",note", '1,2027-03-01,Europe/Berlin,Ada,5" disk', '2,2027-03-01,Europe/Berlin,"Ben"x,y'))
file("quotes-behind-a-space", lines(HEAD, '1, 2027-03-01, Europe/Berlin, "Lovelace"', '2, 2027-03-01, Europe/Berlin, "Bell, Ben"'))
file("quotes-cut-off", f'{HEAD}\n{ADA}\n{BEN}\n3,2027-03-01,Europe/Berlin,"Cy\nand so on\n')
file("quotes-single", lines(HEAD, "1,2027-03-01,Europe/Berlin,'Ada, L'"))
file("rows-short-and-long", lines(HEAD, "1,2027-03-01,Europe/Berlin", ADA.replace("1", "2", 1) + ",", BEN.replace("2", "3", 1) + ",more", "4"))
file("rows-trailing-delimiter", lines(HEAD + ",", ADA + ",", BEN))

# Headers -----------------------------------------------------------------------------------------
file("headers-any-case-and-order", lines("ZONE,  display NAME ,Start_Date,EMPLOYEE-ID", "Europe/Berlin,Ada,2027-03-01,1"))
file("headers-rivals", lines("WorkerID,Employee ID,HireDate", "1,2,2027-03-01"))
file("headers-rivals-named", lines("WorkerID,Employee ID,HireDate,Country", "1,2,2027-03-01,DE"),
     settings='columns = { employee_id = "employee id" }')
file("headers-twice-the-same", lines("employee_id,start_date,City,City", "1,2027-03-01,Berlin,Bonn"))
file("headers-left-out", lines("employee_id,start_date,zone,Manager,ManagerID", "1,2027-03-01,Europe/Berlin,Mia,7"),
     settings='columns = { manager = "" }')
file("headers-none-known", lines("a,b,c", "1,2,3"))
file("headers-no-header", lines(ADA, BEN))
file("headers-only", HEAD + "\n")
file("headers-title-above", lines("New hires March 2027,,,", HEAD, ADA))
file("headers-on-two-lines", '"Employee\nID","Start\r\ndate",zone\n1,2027-03-01,Europe/Berlin\n2,never,Europe/Berlin\n')
file("headers-control", lines("employee_id,start\x07date,zone", "1,2027-03-01,Europe/Berlin"))
file("headers-many-columns", lines(HEAD + ",x" * 600, ADA + "," * 600))

# Dates -------------------------------------------------------------------------------------------
DAYS = ["2027-03-01", "20270301", "2027-03-01T00:00:00", "2027-03-01T00:00:00.000Z", "2027-03-01 00:00:00-11:00",
        "2027-03-01T00:00+14:00", "2027-03-01-08:00", "2027-03-01 12:00:00 AM", "2027-03-01T08:30:00", "03/04/2027",
        "31/12/2027", "3.4.27", "01-02-03", "46447", "46447.375", "########", "2027-02-29", "2027-13-01", "2027-3-1",
        "March 1, 2027", "soon", "", "0000-00-00", "9999-12-31", "1900-01-01"]
file("dates-iso", lines(HEAD, *[f'{n},"{day}",Europe/Berlin,x' for n, day in enumerate(DAYS, 1)]))
file("dates-uk", lines(HEAD, *[f'{n},"{day}",Europe/London,x' for n, day in enumerate(
    ["01/03/2027", "1/3/2027", "31/03/2027 00:00:00", "01/03/2027 08:30", "03/31/2027", "01/03/27", "2027-03-01", "46447",
     "31/02/2027", "01/03/20277", "01/03/2027T00:00:00Z", "01.03.2027"], 1)]), settings='date_format = "%d/%m/%Y"')
file("dates-month-names", lines(HEAD, "1,01-Mar-2027,Europe/London,x", "2,1-march-2027,Europe/London,x", "3,01-Mrz-2027,Europe/London,x"),
     settings='date_format = "%d-%b-%Y"')
file("dates-with-time-mapped", lines("employee_id,begin,zone", "1,2027-03-01T08:30:00+05:30,Europe/Berlin", "2,2027-03-01,Europe/Berlin",
                                     "3,2027-03-01T00:00:00,Europe/Berlin"),
     settings='columns = { start_date = "begin", start_time = "begin" }')
file("dates-start-time", lines("employee_id,start_date,start_time,zone", *[f"{n},2027-03-01,{time},Europe/Berlin" for n, time in enumerate(
    ["08:30", "8:30", "08:30:15", "8:30 AM", "8:30 pm", "", "24:00", "25:00", "8.30", "noon"], 1)]))

# Places ------------------------------------------------------------------------------------------
file("places-row-site-city-country", lines("employee_id,start_date,zone,site,city,country",
    "1,2027-03-01,Pacific/Auckland,HQ,Berlin,FR", "2,2027-03-01,,hq,Berlin,FR", "3,2027-03-01,,Elsewhere,Berlin,FR",
    "4,2027-03-01,,Elsewhere,Lyon,FR", "5,2027-03-01,,,,UK", "6,2027-03-01,,,,US", "7,2027-03-01,,,,", "8,2027-03-01,,,Lyon,",
    "9,2027-03-01,EST,,,", "10,2027-03-01,europe/berlin,,,", "11,2027-03-01,,,,Atlantis", "12,2027-03-01,,,,deutschland",
    "13,2027-03-01,,,,AUT", "14,2027-03-01,GMT+1,,,"),
    settings='zones = { "HQ" = "America/Chicago", "Berlin" = "Europe/Berlin" }\nzone = "Asia/Kolkata"')

# Twins, characters, sizes ------------------------------------------------------------------------
file("twins", lines(HEAD, ADA, BEN, ADA, BEN.replace("03-02", "03-03"), "3,2027-03-01,Europe/Berlin,Cy", "3,2027-03-01, Europe/Berlin , Cy ",
                    "4,2010-01-01,Europe/Berlin,Old", "4,2010-01-02,Europe/Berlin,Old"))
file("status-words", lines(HEAD + ",status", *[f"{n},2027-03-01,Europe/Berlin,x,{word}" for n, word in enumerate(
    ["Active", "Pre-hire", "No Show", "NO_SHOW", "Cancelled", "Inaktiv", "maybe", "", "On Leave", "Terminated"], 1)]))
file("characters-control-and-bidi", lines(HEAD + ",note", "1,2027-03-01,Europe/Berlin,A\x00da,", "2,2027-03-01,Europe/Berlin,Ada,\x1b[31m",
    "3,2027-03-01,Europe/Berlin,\u202eneB,", "4\u200b2,2027-03-01,Europe/Berlin,Cy,", "5,2027-03-01,Europe/Berlin,A\tB,", "6,2027-03-01,Europe/Berlin,Da\x7fve,",
    '7,2027-03-01,Europe/Berlin,Eve,"two\nlines\tand a tab"', "\u00a08\u00a0,2027-03-01,Europe/Berlin,Nbsp,", "9,2027-03-01,Europe/Berlin,e\u0301 decomposed,"))
file("characters-user", lines(HEAD + ",user", "1,2027-03-01,Europe/Berlin,x,ada@contoso.example", "2,2027-03-01,Europe/Berlin,x,\u0430da@contoso.example",
    "3,2027-03-01,Europe/Berlin,x,EMP3", "4,2027-03-01,Europe/Berlin,x,77777777-2222-3333-4444-555555555555"))
file("characters-formulas", lines(HEAD, '1,2027-03-01,Europe/Berlin,"=HYPERLINK(""http://x"",""y"")"', "2,never,Europe/Berlin,@SUM(A1)", "3,never,Europe/Berlin,-1+1|cmd"))
file("sizes-long-name", lines(HEAD, f"1,2027-03-01,Europe/Berlin,{'x' * 257}", f"2,2027-03-01,Europe/Berlin,{'ö' * 256}", f"{'3' * 300},2027-03-01,Europe/Berlin,x"))
file("sizes-huge-field", lines(HEAD, ADA, f"2,2027-03-01,Europe/Berlin,{'x' * 70000}", "3,2027-03-01,Europe/Berlin,Cy"))
file("sizes-lost-quote", lines(HEAD + ",note", ADA + ',"lost', BEN + ",", '3,2027-03-01,Europe/Berlin,Cy,"closed"', "4,2027-03-01,Europe/Berlin,Dot,"))
file("sizes-huge-quoted-field", lines(HEAD, ADA, '2,2027-03-01,Europe/Berlin,"' + ("x" * 40000 + "\n") * 2 + '"', "3,2027-03-01,Europe/Berlin,Cy"))
file("sizes-huge-quoted-record", lines(HEAD, ADA, '2,2027-03-01,Europe/Berlin,"' + "lost\n" * 14000))

# What is no CSV ----------------------------------------------------------------------------------
file("no-csv-empty", b"")
file("no-csv-only-bom", b"\xef\xbb\xbf")
file("no-csv-blank", "\n\n  \n")
file("no-csv-workbook", b"PK\x03\x04\x14\x00\x06\x00")
file("no-csv-old-workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
file("no-csv-html", "<html><table><tr><td>employee_id</td></tr></table></html>")
file("no-csv-gzip", b"\x1f\x8b\x08\x00")
file("no-csv-zeros", bytes(64))

if "--check" in sys.argv:
    sys.exit(sorted(name for name, data in FILES.items() if not (HERE / name).exists() or (HERE / name).read_bytes() != data) or 0)
for name, data in FILES.items():
    (HERE / name).write_bytes(data)
print(f"{len(FILES)} files")
