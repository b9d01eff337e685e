permissionset 50130 "ERPB Read"
{
    Assignable = true;
    Caption = 'Source-to-Pay: read';

    // Purchase documents: read, and nothing else, by design. A reader who may write them changes them by reading.
    Permissions =
        tabledata "Purchase Header" = R,
        tabledata "Purchase Line" = R,
        tabledata "Purchase Order Entity Buffer" = R,
        tabledata "Purch. Inv. Entity Aggregate" = R,
        tabledata "Purch. Inv. Header" = R,
        tabledata "Purch. Inv. Line" = R,
        tabledata "Purch. Rcpt. Header" = R,
        tabledata "Purch. Rcpt. Line" = R,
        tabledata Vendor = R,
        tabledata "G/L Account" = R,
        tabledata "G/L Entry" = R,
        tabledata "General Ledger Setup" = R,
        tabledata "Company Information" = R,
        tabledata Currency = R,
        tabledata "Payment Terms" = R,
        tabledata "Unit of Measure" = R,
        tabledata Item = R,
        tabledata Location = R,
        tabledata Dimension = R,
        tabledata "Dimension Value" = R,
        tabledata "Dimension Set Entry" = R,
        tabledata "Default Dimension" = R,
        tabledata "ERPB Cost Centre Mapping" = R,
        tabledata "ERPB Deleted Purchase Record" = R,
        tabledata "ERPB Change Feed State" = R,
        table "ERPB Cost Centre Mapping" = X,
        table "ERPB Deleted Purchase Record" = X,
        table "ERPB Change Feed State" = X,
        page "ERPB Dimension Values" = X,
        page "ERPB Cost Centre Mappings" = X,
        page "ERPB Purchase Changes" = X,
        page "ERPB Purchase Line Changes" = X,
        page "ERPB Deleted Purchase Records" = X,
        page "ERPB Change Feed States" = X;
}
