table 50102 "ERPB Change Feed State"
{
    Caption = 'Change Feed State';
    DataClassification = SystemMetadata;
    TableType = Temporary;

    fields
    {
        field(1; "Entry No."; Integer)
        {
            Caption = 'Entry No.';
        }
        field(2; "Minimum Active Row Version"; BigInteger)
        {
            Caption = 'Minimum Active Row Version';
        }
        field(3; "Last Used Row Version"; BigInteger)
        {
            Caption = 'Last Used Row Version';
        }
    }

    keys
    {
        key(PK; "Entry No.")
        {
            Clustered = true;
        }
    }
}
